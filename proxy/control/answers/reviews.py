"""The review queue, as it is shown, and what people decide about it."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field

from proxy.control.fields import Moment, Page, Reason, Sent, Shown, Slug

Status = Literal["open", "released", "rejected"]


class ReviewQuery(Page):
    tenant: Slug | None = None
    status: Status | None = "open"


class Release(Sent):
    """How many days what was stopped may pass, for its tenant and in that very text."""

    reason: Reason
    days: Annotated[int, Field(ge=1, le=365)] = 30


class Rejection(Sent):
    reason: Reason


class ShownReview(Shown):
    """`id` is the decision's. `findings` hold no text."""

    id: str
    tenant: str
    opened_at: Moment
    policy: str
    policy_revision: str
    findings: list[dict[str, Any]]
    status: Status
    decided_by: str
    reason: str
    released_until: date | None
    until: date


class ReviewList(Shown):
    items: list[ShownReview]
    next: str | None
