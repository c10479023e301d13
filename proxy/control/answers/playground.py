"""A text tried on a tenant's policy: nothing is sent anywhere, nothing is kept."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from proxy.control.answers.exclusions import OriginName
from proxy.control.fields import AppName, Document, Line, LongText, Sent, Shown


class Trial(Sent):
    """`policy` is a text to try in the place of what is in force for the app."""

    text: Annotated[LongText, Field(max_length=100_000)]
    origin: OriginName = "user"
    direction: Literal["request", "response"] = "request"
    app: AppName = "default"
    model: Line = ""
    policy: Document | None = None


class ShownView(Shown):
    """One reading of the text: as it is, folded or decoded."""

    transforms: list[str]
    text: str
    cut: bool


class TrialReport(Shown):
    """`explanation` has every finding, exclusion and rule in order. `sent` is what would go on, null if nothing."""

    policy: str
    policy_revision: str
    mode: str
    action: str
    intended_action: str
    stops: bool
    why: list[str]
    views: list[ShownView]
    explanation: dict[str, Any]
    sent: str | None
    milliseconds: float
