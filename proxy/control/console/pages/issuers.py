"""Whose tokens count as a tenant's in the place of API keys: its own identity provider's."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final

import orjson
from aiohttp import web

from proxy.control.answers.issuers import IssuerList, ShownIssuer
from proxy.control.console.forms import Wrong
from proxy.control.console.page import Page, Visit
from proxy.control.fields import Done

_LIST: Final = "/console/issuers"


async def _show(visit: Visit) -> web.Response:
    found = await visit.ask("listIssuers", IssuerList, names={"tenant": visit.tenant or ""})
    return visit.page("issuers.html", "Token issuers", found=found)


async def _create(visit: Visit) -> web.Response:
    body: dict[str, Any] = visit.sent("issuer", "audience", "jwks_url", "tenant_claim", "app_claim", "role_claim")
    if text := str(visit.typed.get("jwks", "")).strip():
        try:
            body["jwks"] = orjson.loads(text)
        except orjson.JSONDecodeError as exc:
            visit.wrong = Wrong(visit.doing, 422, f"this is not JSON: {exc.msg}", "jwks")
            return await _show(visit)
    body["claims"] = dict(_claim(line) for line in str(visit.typed.get("claims", "")).splitlines() if line.strip())
    made = await visit.attempt("createIssuer", ShownIssuer, names={"tenant": visit.tenant or ""}, body=body)
    return await _show(visit) if made is None else visit.go(_LIST, "created")


async def _remove(visit: Visit) -> web.Response:
    names = {"tenant": visit.tenant or "", "issuer": str(visit.typed.get("issuer", ""))}
    done = await visit.attempt("removeIssuer", Done, names=names)
    return await _show(visit) if done is None else visit.go(_LIST, "removed")


def _claim(line: str) -> tuple[str, str]:
    name, _, value = line.partition("=")
    return name.strip(), value.strip()


PAGES: Final = (Page(_LIST, _show, MappingProxyType({"create": _create, "remove": _remove}), needs_tenant=True),)
