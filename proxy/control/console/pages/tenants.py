"""Tenants: made, suspended, ended with a time of grace, brought back, removed for good."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from aiohttp import web

from proxy.control.answers.tenants import ShownTenant, TenantList
from proxy.control.console.filters import query
from proxy.control.console.page import Page, Visit

_LIST: Final = "/console/tenants"
_ONE: Final = "/console/tenants/{slug}"


async def _show(visit: Visit) -> web.Response:
    found = await visit.ask("listTenants", TenantList, query=query(visit, {}, tenant=False))
    return visit.page("tenants.html", "Tenants", found=found)


async def _create(visit: Visit) -> web.Response:
    made = await visit.attempt("createTenant", ShownTenant, body=visit.sent("slug", "name"))
    return await _show(visit) if made is None else visit.go(f"{_LIST}/{made.slug}", "created", tenant=made.slug)


async def _one(visit: Visit) -> web.Response:
    one = await visit.ask("readTenant", ShownTenant, names={"tenant": visit.name("slug")})
    return visit.page("tenant.html", one.name or one.slug, one=one)


async def _rename(visit: Visit) -> web.Response:
    return await _change(visit, "changeTenant", "saved", {"name": str(visit.typed.get("name", "")).strip()})


async def _suspend(visit: Visit) -> web.Response:
    return await _change(visit, "suspendTenant", "suspended", visit.sent("reason"))


async def _resume(visit: Visit) -> web.Response:
    return await _change(visit, "resumeTenant", "resumed", None)


async def _delete(visit: Visit) -> web.Response:
    return await _change(visit, "deleteTenant", "deleted", visit.sent("reason", "grace_days"))


async def _restore(visit: Visit) -> web.Response:
    return await _change(visit, "restoreTenant", "restored", None)


async def _purge(visit: Visit) -> web.Response:
    return await _change(visit, "purgeTenant", "purging", visit.sent("reason"))


async def _change(visit: Visit, operation: str, said: str, body: dict[str, str] | None) -> web.Response:
    names = {"tenant": visit.name("slug")}
    done = await visit.attempt(operation, ShownTenant, names=names, body=body)
    return await _one(visit) if done is None else visit.go(visit.request.path, said)


_FORMS: Final = MappingProxyType(
    {"rename": _rename, "suspend": _suspend, "resume": _resume, "delete": _delete, "restore": _restore, "purge": _purge}
)
PAGES: Final = (Page(_LIST, _show, MappingProxyType({"create": _create})), Page(_ONE, _one, _FORMS))
