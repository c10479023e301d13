"""Limits and budgets: what may be used, and how much of it is."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from proxy.control.answers.limits import LimitList
from proxy.control.console.filters import query
from proxy.control.console.page import Page, Visit


async def _show(visit: Visit) -> web.Response:
    names = {"tenant": visit.tenant or ""}
    listed = await visit.ask("listLimits", LimitList, names=names, query=query(visit, {}, tenant=False))
    return visit.page("limits.html", "Limits", found=listed)


PAGES: Final = (Page("/console/limits", _show, needs_tenant=True),)
