"""Incidents: what belongs together, who looks after it, and everything that was done about it, in order."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from aiohttp import web

from proxy.control.answers.incidents import IncidentDetail, IncidentList
from proxy.control.console.filters import asked, query
from proxy.control.console.page import Page, Visit

_LIST: Final = "/console/incidents"
_ONE: Final = "/console/incidents/{incident}"


async def _show(visit: Visit) -> web.Response:
    given = asked(visit, "status", "severity")
    found = await visit.ask("listIncidents", IncidentList, query=query(visit, given))
    return visit.page("incidents.html", "Incidents", found=found, given=given)


async def _create(visit: Visit) -> web.Response:
    body = visit.sent("title", "severity", lists=("decisions",))
    names = {"tenant": visit.tenant or ""}
    made = await visit.attempt("openIncident", IncidentDetail, names=names, body=body)
    return await _show(visit) if made is None else visit.go(f"{_LIST}/{made.incident.id}", "created")


async def _one(visit: Visit) -> web.Response:
    found = await visit.ask("readIncident", IncidentDetail, names={"incident": visit.name("incident")})
    return visit.page("incident.html", found.incident.title, found=found, one=found.incident, me=visit.principal.name)


async def _change(visit: Visit) -> web.Response:
    """Change what the form has: its status and severity, who looks after it, a note, further decisions."""
    body = visit.sent("status", "severity", "note", lists=("decisions",))
    if "assignee" in visit.typed:
        body["assignee"] = str(visit.typed.get("assignee", "")).strip()
    done = await visit.attempt("changeIncident", IncidentDetail, names={"incident": visit.name("incident")}, body=body)
    return await _one(visit) if done is None else visit.go(visit.request.path, "saved")


PAGES: Final = (
    Page(_LIST, _show, MappingProxyType({"create": _create})),
    Page(_ONE, _one, MappingProxyType({"change": _change, "assign": _change})),
)
