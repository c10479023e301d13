"""The page of one's own account."""

from __future__ import annotations

import math
from typing import Any, Final
from urllib.parse import quote

from aiohttp import web

from detectors.errors import AccessError, OperationError, StorageError
from proxy.control.access.account import (
    begin_second_factor,
    change_password,
    confirm_second_factor,
    end_session,
    remove_second_factor,
)
from proxy.control.access.form import read_form
from proxy.control.access.guard import SignedIn, signed_in
from proxy.control.access.one_time import provisioning_uri, qr_picture
from proxy.control.access.parts import Access
from proxy.control.access.places import place_of
from proxy.control.access.sign_in_pages import Pages
from storage.accounts.users import User

_PATH: Final = "/account"


def mount_account_page(app: web.Application, pages: Pages) -> None:
    async def page(request: web.Request) -> web.StreamResponse:
        try:
            return await _page(pages, request)
        except (AccessError, StorageError) as exc:
            if isinstance(exc, AccessError) and exc.status == 401 and request.method == "GET":
                return web.Response(status=303, headers={"Location": f"/sign-in?next={quote(_PATH)}"})
            return pages.problem(exc)

    async def picture(request: web.Request) -> web.StreamResponse:
        try:
            return await _picture(pages, request)
        except (AccessError, StorageError) as exc:
            return pages.problem(exc)

    app.router.add_get(_PATH, page)
    app.router.add_post(_PATH, page)
    app.router.add_get(f"{_PATH}/second-factor.png", picture)


async def _page(pages: Pages, request: web.Request) -> web.StreamResponse:
    access = pages.access
    signed = await signed_in(access, request)
    if signed.user is None:
        raise AccessError(403, "no_account", "This page is for people's accounts.")
    told: dict[str, Any] = {}
    status = 200
    if request.method == "POST":
        form = await read_form(request)
        doing = str(form.get("do", ""))
        try:
            told = await _done(access, signed, request, doing, form)
        except (AccessError, OperationError) as exc:
            status, told = exc.status, {"wrong": _sentence(exc), "wrong_form": doing.partition("-")[0]}
    return await _shown(pages, signed, status, told)


async def _done(access: Access, signed: SignedIn, request: web.Request, doing: str, form: Any) -> dict[str, Any]:
    does = {
        "password": _change_password,
        "factor-begin": _begin_factor,
        "factor-confirm": _confirm_factor,
        "factor-remove": _remove_factor,
        "session-end": _end_session,
    }.get(doing)
    if does is None:
        raise OperationError(422, "unknown_form", "This page has no such form.")
    return await does(access, signed, request, form)


async def _change_password(access: Access, signed: SignedIn, request: web.Request, form: Any) -> dict[str, Any]:
    if form.get("new") != form.get("again"):
        raise OperationError(422, "invalid_field", "The new passwords are not the same.", "again")
    current, new = str(form.get("current", "")), str(form.get("new", ""))
    await change_password(access, signed, current, new, place_of(access.settings, request))
    return {"notice": "The password is changed, and all your other sessions have ended."}


async def _begin_factor(access: Access, signed: SignedIn, request: web.Request, form: Any) -> dict[str, Any]:
    await begin_second_factor(access, signed, str(form.get("password", "")), place_of(access.settings, request))
    return {}


async def _confirm_factor(access: Access, signed: SignedIn, _request: web.Request, form: Any) -> dict[str, Any]:
    return {"codes": await confirm_second_factor(access, signed, str(form.get("code", ""))[:64])}


async def _remove_factor(access: Access, signed: SignedIn, request: web.Request, form: Any) -> dict[str, Any]:
    password, code = str(form.get("password", "")), str(form.get("code", ""))[:64]
    await remove_second_factor(access, signed, password, code, place_of(access.settings, request))
    return {"notice": "The second factor is removed."}


async def _end_session(access: Access, signed: SignedIn, _request: web.Request, form: Any) -> dict[str, Any]:
    await end_session(access, signed, str(form.get("session", "")))
    return {"notice": "The session has ended."}


async def _shown(pages: Pages, signed: SignedIn, status: int, told: dict[str, Any]) -> web.Response:
    access, user = pages.access, await _current(pages.access, signed)
    values = {"wrong": "", "wrong_form": "", "notice": "", "codes": (), **told}
    return pages.shown(
        "account.html",
        status,
        title="Your account",
        user=user,
        csrf=signed.principal.csrf,
        current=signed.principal.session,
        secret=await access.codes.pending_secret(user.id) if user.issuer is None else None,
        codes_left=await access.second_factors.codes_left(user.id),
        sessions=await access.sessions.list(user.id),
        **values,
    )


async def _current(access: Access, signed: SignedIn) -> User:
    user = await access.users.get(signed.principal.id)
    if user is None:
        raise AccessError(401, "unauthenticated", "Sign in first.")
    return user


async def _picture(pages: Pages, request: web.Request) -> web.StreamResponse:
    signed = await signed_in(pages.access, request)
    secret = await pages.access.codes.pending_secret(signed.user.id) if signed.user is not None else None
    if secret is None:
        raise AccessError(404, "not_found", "No second factor waits to be confirmed.")
    picture = qr_picture(provisioning_uri(secret, signed.principal.name))
    return web.Response(body=picture, content_type="image/png", headers={"Cache-Control": "no-store"})


def _sentence(exc: AccessError | OperationError) -> str:
    wait = getattr(exc, "retry_after", None)
    return f"{exc.message} {math.ceil(wait)} seconds." if wait else exc.message
