"""Exclusions: excused findings, by policy or by release after a review."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from proxy.control.fields import AppName, Cursor, Line, LongText, Reason, Sent, Shown

RuleId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,80}$")]
Content = Annotated[str, Field(pattern=r"^hmac:[0-9a-f]{32}$")]
OriginName = Literal["user", "tool", "assistant", "system", "tool_definition", "metadata", "unknown"]


class ExclusionQuery(Sent):
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    after: Cursor | None = None
    app: AppName | None = None


class NewExclusion(Sent):
    """Excuse a rule for an origin or a content in the policy of `app` (null: the tenant's), as a draft of it.

    `owner` is whoever asks unless another is named.
    """

    app: AppName | None = None
    rule: RuleId
    origin: OriginName | None = None
    content: Content | None = None
    until: date
    owner: Line = ""
    reason: Reason


class FalsePositive(Sent):
    """Excuse what a decision found, in that very content: `rule` alone, or all that decided. `text` makes a test."""

    rule: RuleId | None = None
    text: LongText | None = None
    until: date
    owner: Line = ""
    reason: Reason


class ShownExclusion(Shown):
    """`source` is the name of the policy, or `review` for what was released after one."""

    source: str
    rule: str
    origin: str | None
    content: str | None
    until: date
    owner: str
    reason: str
    state: Literal["live", "ends_soon", "ended"]


class ExclusionList(Shown):
    items: list[ShownExclusion]
    next: str | None


class ExclusionDraft(Shown):
    """The draft of `policy` that has it: to be approved and put in force like any other."""

    policy: str
    version: int
    revision: str
    content: str
    difference: str
