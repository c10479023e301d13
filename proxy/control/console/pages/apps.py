"""A tenant's apps."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from aiohttp import web

from proxy.control.answers.apps import AppList, ShownApp
from proxy.control.console.filters import query
from proxy.control.console.page import Page, Visit
from proxy.control.fields import MOST

_MOST_PAGES: Final = 10  # of the apps that a form offers


async def _show(visit: Visit) -> web.Response:
    names = {"tenant": visit.tenant or ""}
    return visit.page(
        "apps.html",
        "Apps",
        found=await visit.ask("listApps", AppList, names=names, query=query(visit, {}, tenant=False)),
    )


async def app_choices(visit: Visit) -> list[tuple[str, str]]:
    """Return the tenant's apps as options of a form; of more than two thousand the oldest, and the one that the address
    names.
    """
    names, after, found = {"tenant": visit.tenant or ""}, None, list[str]()
    for _ in range(_MOST_PAGES):
        page = await visit.look("listApps", AppList, names=names, query={"limit": MOST, "after": after})
        found += [one.name for one in page.items] if page else []
        after = page.next if page else None
        if after is None:
            break
    named = visit.request.query.get("app", "") if after is not None else ""
    return [(name, name) for name in dict.fromkeys([*(found or ["default"]), *([named] if named else [])])]


async def _create(visit: Visit) -> web.Response:
    names = {"tenant": visit.tenant or ""}
    made = await visit.attempt("createApp", ShownApp, names=names, body=visit.sent("name"))
    return await _show(visit) if made is None else visit.go("/console/apps", "created")


PAGES: Final = (Page("/console/apps", _show, MappingProxyType({"create": _create}), needs_tenant=True),)
