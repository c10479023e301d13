"""Service accounts: programs that use the API, with a secret that is shown once, rotated and revoked."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from aiohttp import web

from proxy.control.answers.service_accounts import AccountList, MadeAccount, ShownAccount
from proxy.control.console.filters import query
from proxy.control.console.page import Page, Visit
from proxy.control.console.pages.users import roles_for

_LIST: Final = "/console/service-accounts"


async def _show(visit: Visit, made: MadeAccount | None = None) -> web.Response:
    found = await visit.ask("listServiceAccounts", AccountList, query=query(visit, {}))
    return visit.page("service_accounts.html", "Service accounts", found=found, made=made, roles=roles_for(visit))


async def _create(visit: Visit) -> web.Response:
    """Make one; the secret stands in this answer and nowhere else."""
    body = visit.sent("name", "role", "tenant")
    return await _show(visit, await visit.attempt("createServiceAccount", MadeAccount, body=body))


async def _rotate(visit: Visit) -> web.Response:
    body = visit.sent("overlap_minutes")
    return await _show(
        visit, await visit.attempt("rotateServiceAccount", MadeAccount, names=_account(visit), body=body)
    )


async def _revoke(visit: Visit) -> web.Response:
    done = await visit.attempt("revokeServiceAccount", ShownAccount, names=_account(visit))
    return await _show(visit) if done is None else visit.go(_LIST, "revoked")


def _account(visit: Visit) -> dict[str, str]:
    return {"account": str(visit.typed.get("account", ""))}


PAGES: Final = (Page(_LIST, _show, MappingProxyType({"create": _create, "rotate": _rotate, "revoke": _revoke})),)
