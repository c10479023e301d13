"""A tenant's apps."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from aiohttp import web

from proxy.control.answers.apps import AppList, ShownApp
from proxy.control.console.filters import query
from proxy.control.console.page import Page, Visit


async def _show(visit: Visit) -> web.Response:
    names = {"tenant": visit.tenant or ""}
    return visit.page(
        "apps.html",
        "Apps",
        found=await visit.ask("listApps", AppList, names=names, query=query(visit, {}, tenant=False)),
    )


async def _create(visit: Visit) -> web.Response:
    names = {"tenant": visit.tenant or ""}
    made = await visit.attempt("createApp", ShownApp, names=names, body=visit.sent("name"))
    return await _show(visit) if made is None else visit.go("/console/apps", "created")


PAGES: Final = (Page("/console/apps", _show, MappingProxyType({"create": _create}), needs_tenant=True),)
