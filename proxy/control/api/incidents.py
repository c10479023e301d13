"""Incidents: what is open, its timeline and decisions, and working on it."""

from __future__ import annotations

from typing import Any, Final

from detectors.errors import OperationError
from proxy.control.access.types import Permission
from proxy.control.answers.incidents import (
    IncidentChange,
    IncidentDetail,
    IncidentEvent,
    IncidentList,
    IncidentQuery,
    NewIncident,
    OcsfIncidents,
    ShownIncident,
)
from proxy.control.fields import BIGGEST
from proxy.control.operations import Call, Operation, not_found
from proxy.control.paging import next_after, number_after
from storage.incidents import CLOSED, Incident, IncidentStore, Sign
from storage.ocsf_incident import ocsf_incident

_ALL: Final = "/api/v1/incidents"
_ONE: Final = f"{_ALL}/{{incident}}"


async def _list(call: Call) -> IncidentList:
    query, found = call.asked(IncidentQuery), await _page(call)
    items = [_shown(incident) for incident in found[: query.limit]]
    return IncidentList(items=items, next=next_after(found, query, lambda incident: incident.id))


async def _export(call: Call) -> OcsfIncidents:
    query, found = call.asked(IncidentQuery), await _page(call)
    items = [ocsf_incident(one, "closed" if one.status in CLOSED else "opened") for one in found[: query.limit]]
    return OcsfIncidents(items=items, next=next_after(found, query, lambda incident: incident.id))


async def _page(call: Call) -> tuple[Incident, ...]:
    query = call.asked(IncidentQuery)
    return await _store(call).page(
        call.tenant_id,
        before=number_after(query, BIGGEST),
        limit=query.limit + 1,
        status=query.status,
        severity=query.severity,
    )


async def _open(call: Call) -> IncidentDetail:
    new = call.sent(NewIncident)
    sign = Sign(call.the_tenant().id, "manual", "", new.title, new.severity, new.decisions)
    made = await _store(call).open(sign, call.principal.name)
    if made is None:
        raise not_found()
    call.note(str(made[0]), after={"title": new.title, "severity": new.severity})
    return await _detail(call, await _find(call, made[0]))


async def _read(call: Call) -> IncidentDetail:
    return await _detail(call, await _find(call, call.number("incident")))


async def _change(call: Call) -> IncidentDetail:
    change, incident = call.sent(IncidentChange), await _find(call, call.number("incident"))
    given = change.model_dump(exclude_unset=True, include={"status", "severity", "assignee"})
    if None in given.values():
        raise OperationError(
            422, "invalid_field", "must be a text", next(name for name in given if given[name] is None)
        )
    await call.concerns(incident.tenant_id)
    await _store(call).change(incident, call.principal.name, given, change.note, change.decisions)
    before: dict[str, Any] = {name: getattr(incident, name) for name in given}
    call.note(str(incident.id), before=before, after=given)
    return await _detail(call, await _find(call, incident.id))


async def _detail(call: Call, incident: Incident) -> IncidentDetail:
    timeline = [
        IncidentEvent.model_validate(event, from_attributes=True) for event in await _store(call).timeline(incident)
    ]
    decisions = list(await _store(call).decisions_of(incident))
    return IncidentDetail(incident=_shown(incident), timeline=timeline, decisions=decisions)


async def _find(call: Call, incident_id: int) -> Incident:
    found = await _store(call).find(incident_id, call.tenant_id)
    if found is None:
        raise not_found()
    return found


def _store(call: Call) -> IncidentStore:
    return IncidentStore(call.parts.database)


def _shown(incident: Incident) -> ShownIncident:
    return ShownIncident.model_validate(incident, from_attributes=True)


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        "listIncidents", "GET", _ALL, Permission.INCIDENTS_READ, "List incidents, newest first.", IncidentList, _list,
        query=IncidentQuery,
    ),
    Operation(
        "openIncident", "POST", "/api/v1/tenants/{tenant}/incidents", Permission.INCIDENTS_WRITE,
        "Open an incident by hand.", IncidentDetail, _open, 201, NewIncident, of_deleted=True,
    ),
    Operation(
        "exportIncidents", "GET", "/api/v1/incident-findings", Permission.INCIDENTS_READ,
        "Incidents as OCSF events (Incident Finding), for a SIEM.", OcsfIncidents, _export, query=IncidentQuery,
    ),
    Operation(
        "readIncident", "GET", _ONE, Permission.INCIDENTS_READ, "Show an incident, its timeline and its decisions.",
        IncidentDetail, _read,
    ),
    Operation(
        "changeIncident", "PATCH", _ONE, Permission.INCIDENTS_WRITE,
        "Assign it, give it another status or severity, write a note, link decisions.", IncidentDetail, _change,
        body=IncidentChange,
    ),
)  # fmt: skip
