"""Exclusions: what is excused, by whom, why and until when; and how another one is proposed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final

from aiohttp import web

from proxy.control.answers.exclusions import ExclusionDraft, ExclusionList
from proxy.control.console.filters import query
from proxy.control.console.page import Page, Visit

_LIST: Final = "/console/exclusions"


async def _show(visit: Visit) -> web.Response:
    listed = await visit.ask(
        "listExclusions", ExclusionList, names={"tenant": visit.tenant or ""}, query=query(visit, {}, tenant=False)
    )
    until = (datetime.now(UTC) + timedelta(days=90)).date()
    return visit.page("exclusions.html", "Exclusions", found=listed, until=until)


async def _create(visit: Visit) -> web.Response:
    body = visit.sent("app", "rule", "origin", "content", "until", "owner", "reason")
    draft = await visit.attempt("addExclusion", ExclusionDraft, names={"tenant": visit.tenant or ""}, body=body)
    if draft is None:
        return await _show(visit)
    app = draft.policy.partition("/")[2] or "_"
    return visit.go(f"/console/policies/{app}/versions/{draft.version}", "draft")


PAGES: Final = (Page(_LIST, _show, MappingProxyType({"create": _create}), needs_tenant=True),)
