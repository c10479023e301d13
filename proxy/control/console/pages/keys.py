"""API keys: made and shown once, limited, rotated with an overlap, revoked."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final

from aiohttp import web

from proxy.control.answers.keys import KeyList, MadeKey, ShownKey
from proxy.control.console.filters import asked, query
from proxy.control.console.page import Page, Visit
from proxy.control.console.pages.apps import app_choices

_LIST: Final = "/console/keys"


async def _show(visit: Visit, made: MadeKey | None = None) -> web.Response:
    names, given = {"tenant": visit.tenant or ""}, asked(visit, "app", "state")
    found = await visit.ask("listKeys", KeyList, names=names, query=query(visit, given, tenant=False))
    return visit.page(
        "keys.html",
        "API keys",
        found=found,
        given=given,
        made=made,
        apps=await app_choices(visit),
    )


async def _create(visit: Visit) -> web.Response:
    """Make a key; the answer to this very request is the only place where it ever stands."""
    body: dict[str, Any] = visit.sent("app", "name", lists=("models",))
    body |= {"additional": "additional" in visit.typed}
    body |= {name: value for name, value in (("expires_at", _end_of_day(visit)), ("scopes", _scopes(visit))) if value}
    return await _show(visit, await visit.attempt("createKey", MadeKey, names=_tenant(visit), body=body))


async def _change(visit: Visit) -> web.Response:
    """Change what a key is called, how long it works and what it may; an empty field takes a limit away.

    The form has the day of a key's end alone: who leaves that as it is does not change the hour.
    """
    one = await visit.attempt("readKey", ShownKey, names=_key(visit))
    if one is None:
        return await _show(visit)
    body: dict[str, Any] = {"name": str(visit.typed.get("name", "")).strip(), "scopes": _scopes(visit), "models": None}
    day = "" if one.expires_at is None else one.expires_at.date().isoformat()
    if str(visit.typed.get("expires_at", "")).strip() != day:
        body["expires_at"] = _end_of_day(visit)
    done = await visit.attempt("changeKey", ShownKey, names=_key(visit), body=body | visit.sent(lists=("models",)))
    return await _show(visit) if done is None else visit.go(_LIST, "saved")


async def _rotate(visit: Visit) -> web.Response:
    body = visit.sent("overlap_minutes")
    return await _show(visit, await visit.attempt("rotateKey", MadeKey, names=_key(visit), body=body))


async def _revoke(visit: Visit) -> web.Response:
    done = await visit.attempt("revokeKey", ShownKey, names=_key(visit))
    return await _show(visit) if done is None else visit.go(_LIST, "revoked")


def _end_of_day(visit: Visit) -> str | None:
    day = str(visit.typed.get("expires_at", "")).strip()
    return (f"{day}T23:59:59+00:00" if len(day) == 10 else day) or None


def _scopes(visit: Visit) -> list[str] | None:
    return [line.strip() for line in str(visit.typed.get("scopes", "")).splitlines() if line.strip()] or None


def _tenant(visit: Visit) -> dict[str, str]:
    return {"tenant": visit.tenant or ""}


def _key(visit: Visit) -> dict[str, str]:
    return _tenant(visit) | {"key": str(visit.typed.get("key", ""))}


PAGES: Final = (
    Page(
        _LIST,
        _show,
        MappingProxyType({"create": _create, "change": _change, "rotate": _rotate, "revoke": _revoke}),
        needs_tenant=True,
    ),
)
