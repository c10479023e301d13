"""Audit events: who did what to what, from where, and what it was before and after."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final

from aiohttp import web

from proxy.control.answers.audit_events import AuditReport, EventList
from proxy.control.console.filters import asked, moment, query
from proxy.control.console.page import Page, Visit

_LIST: Final = "/console/audit"


async def _show(visit: Visit, report: AuditReport | None = None) -> web.Response:
    given = asked(visit, "actor", "action")
    times = {"since": moment(visit, "since"), "until": moment(visit, "until")}
    found = await visit.ask("listAuditEvents", EventList, query=query(visit, {**given, **times}))
    return visit.page(
        "audit.html",
        "Audit events",
        found=found,
        given=given,
        kept=asked(visit, "actor", "action", "since", "until"),
        report=report,
        changes=[(event, _changes(event.before, event.after)) for event in found.items],
    )


async def _verify(visit: Visit) -> web.Response:
    return await _show(visit, await visit.attempt("verifyAuditEvents", AuditReport))


def _changes(before: Any, after: Any) -> list[tuple[str, str, str]]:
    """Return (what, before, after) of what an event changed, in words."""
    old, new = _as_names(before), _as_names(after)
    return [(name, _word(old.get(name)), _word(new.get(name))) for name in dict.fromkeys((*old, *new))][:12]


def _as_names(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {} if value is None else {"": value}


def _word(value: Any) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= 120 else f"{text[:120]}…"


PAGES: Final = (Page(_LIST, _show, MappingProxyType({"verify": _verify})),)
