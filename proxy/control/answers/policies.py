"""Policies, their versions and what can be asked about them."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field

from proxy.control.fields import Document, Line, Moment, Reason, Sent, Shown

Days = Annotated[int, Field(ge=1, le=90)]


class NewDraft(Sent):
    content: Document
    reason: Reason


class PolicyText(Sent):
    content: Document


class TextOrVersion(Sent):
    """A text, or the number of a version; one of them."""

    content: Document | None = None
    version: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None


class ReplayOf(TextOrVersion):
    days: Days = 7


class Activation(Sent):
    """`condition` is asked of a replay of the last `days`: `new_blocks < 0.1% and undecidable < 1%`."""

    reason: Reason
    condition: Line | None = None
    days: Days = 7


class Rollback(Sent):
    """`to` is a version that was in force once; by default the one that was so before the present one.

    `undo` is the version that is to go: refused where another one is in force by now, as somebody else was quicker.
    """

    reason: Reason
    to: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    undo: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None


class ShownCandidate(Shown):
    revision: str
    until: date
    sample: float
    rollout: float


class ShownPolicy(Shown):
    """`app` is `_` for the tenant's own. `source` is `file`, `database`, or `default` where it has none of its own.

    `problem` is why the present text is not in force and an earlier one is.
    """

    name: str
    app: str
    source: Literal["file", "database", "default"]
    revision: str
    mode: str
    version: int | None
    rules: int
    exclusions: int
    problem: str | None
    remarks: list[str]
    candidate: ShownCandidate | None


class PolicyList(Shown):
    items: list[ShownPolicy]
    next: str | None


class ReadPolicy(Shown):
    policy: ShownPolicy
    content: str


class ShownVersion(Shown):
    version: int
    revision: str
    author: str
    reason: str
    created_at: Moment
    approved_by: str | None
    in_force: bool


class VersionList(Shown):
    items: list[ShownVersion]
    next: str | None


class VersionText(Shown):
    version: ShownVersion
    content: str


class ShownProblem(Shown):
    """Lines and columns count from 1; null where there is no such place."""

    line: int | None
    column: int | None
    text: str


class PolicyReport(Shown):
    """What a compiler says of a text. `revision` is null where it does not load."""

    ok: bool
    problems: list[ShownProblem]
    warnings: list[ShownProblem]
    revision: str | None
    rules: int
    tests: int


class ShownTest(Shown):
    name: str
    passed: bool
    action: str
    problems: list[str]
    seconds: float


class TestReport(Shown):
    """`unproved` are rules that decide in no test."""

    __test__ = False  # not a test of ours

    ok: bool
    tests: list[ShownTest]
    unproved: list[str]


class ShownChange(Shown):
    before: str
    after: str
    rule_before: str
    rule_after: str
    cases: int
    category: str
    found_by: str
    direction: str
    origin: str
    example: str


class ChangedSetting(Shown):
    name: str
    before: str
    after: str


class PolicyDifference(Shown):
    """What can be decided otherwise than by the policy in force."""

    empty: bool
    changes: list[ShownChange]
    settings: list[ChangedSetting]
    rules: list[str]
    exclusions: list[str]


class ReplayedChange(Shown):
    change: str
    app: str
    rule: str
    count: int
    decisions: list[str]


class ReplayReport(Shown):
    revision: str
    since: Moment
    decisions: int
    judged: int
    newly_blocked: int
    newly_allowed: int
    other_changes: int
    undecidable: int
    doubts: dict[str, int]
    changes: list[ReplayedChange]
    complete: bool


class PolicySchema(Shown):
    """The JSON Schema of policy files."""

    json_schema: dict[str, Any]
