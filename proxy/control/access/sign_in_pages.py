"""The pages of signing in and out, for browsers; they work without a script."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from aiohttp import web

from detectors.errors import AccessError, StorageError
from proxy.control.access import oidc_routes
from proxy.control.access.cookies import Cookie, forget_cookie, read_cookie, set_cookie
from proxy.control.access.form import read_form
from proxy.control.access.guard import signed_in
from proxy.control.access.oidc import CALLBACK
from proxy.control.access.parts import Access
from proxy.control.access.places import HOME, is_our_page, place_of, way_back
from proxy.control.access.sign_in import SignInStep, with_code, with_password
from proxy.control.console.rendering import Rendering

_SIGNED_OUT: Final = "You are signed out."
Run = Callable[["Pages", web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Pages:
    """What the pages of access are made with."""

    access: Access
    rendering: Rendering

    def shown(self, template: str, status: int = 200, /, **values: Any) -> web.Response:
        return self.rendering.response(template, values, status)

    def sign_in(
        self, wanted: str, status: int = 200, *, wrong: str = "", notice: str = "", name: str = ""
    ) -> web.Response:
        provider = self.access.oidc.name if self.access.oidc is not None else ""
        address = f"{oidc_routes.START}?{urlencode({'next': wanted})}"
        values = {"wanted": wanted, "wrong": wrong, "notice": notice, "provider": provider, "provider_address": address}
        values |= {"name": name[:128]}
        return self.shown("sign_in.html", status, title="Sign in", **values)

    def code(self, wanted: str, status: int = 200, wrong: str = "") -> web.Response:
        return self.shown("code.html", status, title="Sign in", wanted=wanted, wrong=wrong)

    def problem(self, exc: AccessError | StorageError) -> web.Response:
        status, message = (exc.status, exc.message) if isinstance(exc, AccessError) else (503, _away())
        return self.shown("problem.html", status, status=status, message=message)


def mount_sign_in_pages(app: web.Application, pages: Pages) -> None:
    app.router.add_get("/sign-in", _paged(pages, _show))
    app.router.add_post("/sign-in", _paged(pages, _password))
    app.router.add_get("/sign-in/code", _paged(pages, _show_code))
    app.router.add_post("/sign-in/code", _paged(pages, _code))
    app.router.add_post("/sign-out", _paged(pages, _sign_out))
    app.router.add_get(oidc_routes.START, _paged(pages, _depart))
    app.router.add_get(CALLBACK, _paged(pages, _arrive))


def _paged(pages: Pages, run: Run) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await run(pages, request)
        except (AccessError, StorageError) as exc:
            return pages.problem(exc)

    return handle


async def _show(pages: Pages, request: web.Request) -> web.StreamResponse:
    return pages.sign_in(way_back(request.query.get("next", "")), notice=_SIGNED_OUT if "out" in request.query else "")


async def _show_code(pages: Pages, request: web.Request) -> web.StreamResponse:
    if not read_cookie(pages.access.settings, request, Cookie.CODE):
        return _to("/sign-in")
    return pages.code(way_back(request.query.get("next", "")))


async def _password(pages: Pages, request: web.Request) -> web.StreamResponse:
    access, form = pages.access, await _form(pages, request)
    wanted = way_back(str(form.get("next", "")))
    try:
        step = await with_password(
            access, str(form.get("name", "")), str(form.get("password", "")), place_of(access.settings, request),
            in_browser=True,
        )  # fmt: skip
    except AccessError as exc:
        return _waiting(exc, pages.sign_in(wanted, exc.status, wrong=_told(exc), name=str(form.get("name", ""))))
    if step.begun is None:
        response = _to(f"/sign-in/code?{urlencode({'next': wanted})}")
        set_cookie(access.settings, request, response, Cookie.CODE, step.waiting)
        return response
    return await _let_in(pages, request, step, wanted)


async def _code(pages: Pages, request: web.Request) -> web.StreamResponse:
    access, form = pages.access, await _form(pages, request)
    wanted = way_back(str(form.get("next", "")))
    waiting = read_cookie(access.settings, request, Cookie.CODE)
    try:
        step = await with_code(
            access, waiting, str(form.get("code", ""))[:64], place_of(access.settings, request), in_browser=True
        )
    except AccessError as exc:
        page = pages.sign_in if exc.code == "sign_in_ended" else pages.code
        return _waiting(exc, page(wanted, exc.status, wrong=_told(exc)))
    return await _let_in(pages, request, step, wanted)


async def _let_in(pages: Pages, request: web.Request, step: SignInStep, wanted: str) -> web.Response:
    """End whatever session the browser had, and give it the new one."""
    access = pages.access
    before = read_cookie(access.settings, request, Cookie.SESSION)
    session = await access.sessions.by_cookie(before) if before else None
    if session is not None:
        await access.sessions.end(session.user_id, session.id, "signed in anew")
    response = _to("/account" if step.user.must_change else wanted)
    forget_cookie(access.settings, request, response, Cookie.CODE)
    if step.begun is not None:
        set_cookie(access.settings, request, response, Cookie.SESSION, step.begun.token)
    return response


async def _sign_out(pages: Pages, request: web.Request) -> web.StreamResponse:
    access = pages.access
    if not is_our_page(access.settings, request):
        raise AccessError(403, "csrf", "This form was not made by a page of ours: open it again.")
    try:
        signed = await signed_in(access, request)
    except AccessError as exc:
        if exc.status != 401:
            raise
    else:
        if signed.user is not None and signed.session is not None:
            await access.sessions.end(signed.user.id, signed.session.id, "signed out")
    response = _to("/sign-in?out")
    response.headers["Clear-Site-Data"] = '"cache"'
    forget_cookie(access.settings, request, response, Cookie.SESSION)
    return response


async def _depart(pages: Pages, request: web.Request) -> web.StreamResponse:
    return await oidc_routes.depart(pages.access, request)


async def _arrive(pages: Pages, request: web.Request) -> web.StreamResponse:
    return await oidc_routes.arrive(pages.access, request)


async def _form(pages: Pages, request: web.Request) -> Any:
    """Read a form without a session: nobody is to be signed in by another site's page. Raises AccessError 403."""
    if not is_our_page(pages.access.settings, request):
        raise AccessError(403, "csrf", "This form was not made by a page of ours: open it again.")
    return await read_form(request)


def _to(address: str) -> web.Response:
    return web.Response(status=303, headers={"Location": address or HOME})


def _told(exc: AccessError) -> str:
    wait = f" {math.ceil(exc.retry_after)} seconds." if exc.retry_after else ""
    return f"{exc.message}{wait}"


def _waiting(exc: AccessError, response: web.Response) -> web.Response:
    if exc.retry_after is not None:
        response.headers["Retry-After"] = str(math.ceil(exc.retry_after))
    return response


def _away() -> str:
    return "The database cannot be asked at the moment."
