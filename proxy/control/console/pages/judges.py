"""Judges and breakers: which models judge, what they cost, and which services are left alone for now."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from aiohttp import web

from proxy.control.answers.judges import JudgeList
from proxy.control.console.page import Page, Visit
from proxy.control.fields import Done


async def _show(visit: Visit) -> web.Response:
    return visit.page("judges.html", "Judges", found=await visit.ask("listJudges", JudgeList))


async def _reset(visit: Visit) -> web.Response:
    """Have a judge asked again that was left alone."""
    names = {"judge": str(visit.typed.get("judge", ""))}
    done = await visit.attempt("resetJudgeBreaker", Done, names=names)
    return await _show(visit) if done is None else visit.go("/console/judges", "reset")


PAGES: Final = (Page("/console/judges", _show, MappingProxyType({"reset": _reset})),)
