"""Where the console's pages meet the server: addresses, who is looking, forms, and pages for what goes wrong."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import quote

import structlog
from aiohttp import web
from multidict import MultiDict

import proxy.control.console.pages
from detectors.discovery import discover
from detectors.errors import AccessError, OperationError, StorageError
from proxy.control.access.form import read_form
from proxy.control.access.guard import principal_of
from proxy.control.answers.tenants import TenantList
from proxy.control.catalogue import all_operations
from proxy.control.console.assets import PREFIX, Assets
from proxy.control.console.page import Console, Page, Visit
from proxy.control.console.rendering import Rendering
from proxy.control.operations import perform
from proxy.control.parts import ControlParts

_LOG: Final = structlog.get_logger("promptshield.console")
_HOME: Final = "/console"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def mount_console(app: web.Application, parts: ControlParts) -> None:
    """Add every page to the control plane's application, and the way there from `/`."""
    console = Console(parts, all_operations(), Rendering(Assets()))
    for pages in discover(proxy.control.console.pages, "PAGES", tuple):
        for page in pages:
            answer = _answering(console, page)
            app.router.add_get(page.path, answer)
            if page.forms:
                app.router.add_post(page.path, answer)
    app.router.add_get(f"{PREFIX}/{{name}}", console.rendering.assets.serve)
    app.router.add_get("/", _home)
    app.router.add_get(f"{_HOME}/", _home)
    app.router.add_get(f"{_HOME}/{{rest:.+}}", _nowhere(console))


def _answering(console: Console, page: Page) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await _shown(page, await _visit(console, request))
        except AccessError as exc:
            return _refused(console, request, exc)
        except web.HTTPRequestEntityTooLarge:
            return _problem(console, 413, "The form is too large. Shorten what you typed, and send it again.")
        except OperationError as exc:
            return _problem(console, exc.status, exc.message)
        except StorageError as exc:
            _LOG.error("a page could not be shown", place=page.path, problem=str(exc))
            return _problem(console, 503, "The database cannot be asked at the moment.")

    return answer


async def _shown(page: Page, visit: Visit) -> web.Response:
    if page.needs_tenant and visit.tenant is None:
        return visit.page("choose.html", "Choose a tenant")
    if visit.request.method != "POST":
        return await page.show(visit)
    return await page.forms.get(visit.doing, _no_form)(visit)


async def _no_form(_visit: Visit) -> web.Response:
    raise OperationError(422, "unknown_form", "This page has no such form.")


async def _visit(console: Console, request: web.Request) -> Visit:
    """Raises AccessError for nobody we know, and for a form without its token."""
    typed = await read_form(request) if request.method == "POST" else MultiDict[str]()
    principal = await principal_of(console.parts.access, request)
    visit = Visit(console, principal, request, principal.csrf, typed)
    if principal.tenant_id is None:
        listed = await perform(console.parts, principal, console.operations["listTenants"], query={"limit": 200})
        assert isinstance(listed, TenantList)  # noqa: S101 - the operation declares it
        visit.tenants = listed.items
    return visit


def _refused(console: Console, request: web.Request, exc: AccessError) -> web.Response:
    """Send those who are not signed in there, and then back; tell others why not."""
    if exc.code == "password_change_required":
        return web.Response(status=303, headers={"Location": "/account"})
    if exc.status != 401:
        return _problem(console, exc.status, exc.message)
    if request.method != "GET" or "X-Console-Fragment" in request.headers:
        return _problem(console, 401, "You are signed out. Sign in, then send the form again.")
    return web.Response(status=303, headers={"Location": f"/sign-in?next={quote(request.path_qs, safe='')}"})


def _problem(console: Console, status: int, message: str) -> web.Response:
    return console.rendering.response("problem.html", {"status": status, "message": message}, status)


def _nowhere(console: Console) -> Handler:
    async def nowhere(_request: web.Request) -> web.StreamResponse:
        return _problem(console, 404, "There is no page at this address.")

    return nowhere


async def _home(_request: web.Request) -> web.StreamResponse:
    return web.Response(status=303, headers={"Location": _HOME})
