"""What administrators did, as it is shown."""

from __future__ import annotations

from typing import Any

from proxy.control.fields import Line, Moment, Page, SentMoment, Shown, Slug


class AuditQuery(Page):
    """`action` may end in `*`; `since` and `until` are times, the second not in it."""

    tenant: Slug | None = None
    actor: Line = ""
    action: Line = ""
    since: SentMoment | None = None
    until: SentMoment | None = None


class ShownEvent(Shown):
    """`id` numbers the events of all tenants without a gap; `before` and `after` are as far as they differ."""

    id: int
    at: Moment
    actor: str
    action: str
    tenant: str | None
    target: str
    network: str
    before: Any = None
    after: Any = None
    details: dict[str, Any]


class EventList(Shown):
    items: list[ShownEvent]
    next: str | None


class ShownDamage(Shown):
    kind: str
    id: int | None
    note: str


class AuditReport(Shown):
    """Whether every event is what was written, and none is missing; `damages` are the first hundred."""

    intact: bool
    events: int
    damages: list[ShownDamage]
