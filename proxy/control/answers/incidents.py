"""Incidents, as they are sent and shown."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from proxy.control.fields import DecisionId, Line, Moment, Page, Reason, Sent, Shown, Slug

Status = Literal["open", "investigating", "resolved", "dismissed"]
Severity = Literal["low", "medium", "high", "critical"]
OpenedBy = Literal["block_spike", "repeated_blocks", "credential_leak", "manual"]


class IncidentQuery(Page):
    tenant: Slug | None = None
    status: Status | None = None
    severity: Severity | None = None


class NewIncident(Sent):
    title: Reason
    severity: Severity = "medium"
    decisions: Annotated[tuple[DecisionId, ...], Field(max_length=100)] = ()


class IncidentChange(Sent):
    """What is not given stays. `note` stands in the timeline."""

    status: Status | None = None
    severity: Severity | None = None
    assignee: Line | None = None
    note: Reason | None = None
    decisions: Annotated[tuple[DecisionId, ...], Field(max_length=100)] = ()


class ShownIncident(Shown):
    """`subject` is what it is about beside the tenant: `key 12`, `session hmac:...`, or nothing."""

    id: int
    tenant: str
    rule: OpenedBy
    title: str
    subject: str
    severity: Severity
    status: Status
    assignee: str
    opened_at: Moment
    updated_at: Moment
    closed_at: Moment | None
    decisions: int


class IncidentList(Shown):
    items: list[ShownIncident]
    next: str | None


class IncidentEvent(Shown):
    at: Moment
    actor: str
    event: str
    text: str


class IncidentDetail(Shown):
    """`timeline` oldest first; `decisions` are ids, the newest hundred."""

    incident: ShownIncident
    timeline: list[IncidentEvent]
    decisions: list[str]


class OcsfIncidents(Shown):
    """Events of the class Incident Finding (2005) of OCSF 1.8.0."""

    items: list[dict[str, Any]]
    next: str | None
