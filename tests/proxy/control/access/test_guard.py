"""Who asks, and forged requests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from detectors.errors import AccessError
from proxy.control.access.answers import answer, refusal
from proxy.control.access.guard import principal_of
from proxy.control.access.types import AdminRole, Permission, Principal
from storage.tenants.tenancy import Tenancy
from storage.types import Tenant
from tests.proxy.control.access.conftest import (
    MASTER_KEY,
    Browser,
    Build,
    Plane,
    bearer,
    csrf_of,
    sign_in,
    tokens_of,
)
from tests.storage.conftest import RunStatement

pytestmark = pytest.mark.slow  # a database of their own
Ask = Callable[..., Awaitable[tuple[int, str]]]


@pytest.fixture
def ask(plane: Plane) -> Ask:
    """Send a request to something that only asks who it is; return the status, and the name or the code."""

    async def run(method: str = "GET", plane: Plane = plane, **kwargs: object) -> tuple[int, str]:
        async def handle(request: web.Request) -> web.Response:
            try:
                return answer({"name": (await principal_of(plane.access, request)).name})
            except AccessError as exc:
                return refusal(exc)

        app = web.Application()
        app.router.add_route("*", "/thing", handle)
        async with TestClient(TestServer(app)) as client:
            response = await client.request(method, "/thing", **kwargs)  # type: ignore[arg-type]
            told = await response.json()
            return response.status, told.get("name") or told["error"]["code"]

    return run


async def cookie_of(plane: Plane, browser: Browser) -> tuple[str, str, str]:
    """Sign somebody in; return the name, the Cookie header and the CSRF token."""
    user = await plane.user()
    given = await sign_in(browser, user.name)
    (line,) = (line for line in given.headers.getall("Set-Cookie") if line.startswith("promptshield="))
    return user.name, line.split(";")[0], await csrf_of(browser)


async def test_nobody_is_nobody(ask: Ask) -> None:
    assert await ask() == (401, "unauthenticated")


async def test_a_session_reads_without_and_changes_only_with_its_token(
    plane: Plane, browser: Browser, ask: Ask
) -> None:
    name, cookie, csrf = await cookie_of(plane, browser)
    assert await ask(headers={"Cookie": cookie}) == (200, name)
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert await ask(method, headers={"Cookie": cookie}) == (403, "csrf")
        assert await ask(method, headers={"Cookie": cookie, "X-CSRF-Token": "0" * 64}) == (403, "csrf")
        assert await ask(method, headers={"Cookie": cookie, "X-CSRF-Token": csrf}) == (200, name)
    assert await ask("POST", headers={"Cookie": cookie}, data={"csrf": csrf}) == (200, name)


async def test_the_token_of_another_session_is_none(plane: Plane, browser: Browser, ask: Ask) -> None:
    _, cookie, _ = await cookie_of(plane, browser)
    other = await plane.open_browser()
    _, _, csrf = await cookie_of(plane, other)
    assert await ask("POST", headers={"Cookie": cookie, "X-CSRF-Token": csrf}) == (403, "csrf")


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "same-site"}])
async def test_another_origin_changes_nothing_with_a_token_either(
    plane: Plane, browser: Browser, ask: Ask, headers: dict[str, str]
) -> None:
    _, cookie, csrf = await cookie_of(plane, browser)
    assert await ask("POST", headers={"Cookie": cookie, "X-CSRF-Token": csrf, **headers}) == (403, "csrf")


async def test_of_a_header_and_a_cookie_the_header_counts(plane: Plane, browser: Browser, ask: Ask) -> None:
    _, cookie, _ = await cookie_of(plane, browser)
    assert (await ask(headers={"Cookie": cookie, **bearer("rubbish")}))[0] == 401


async def test_the_master_key_is_the_first_administrator(plane: Plane, ask: Ask) -> None:
    assert await ask("POST", headers=bearer(MASTER_KEY)) == (200, "master key")
    assert (await ask(headers=bearer(MASTER_KEY[:-1] + "k")))[0] == 401
    assert (await ask(headers=bearer(MASTER_KEY.lower())))[0] == 401


async def test_without_a_master_key_nothing_is_one(build: Build, ask: Ask) -> None:
    plain = await build()
    for key in ("", MASTER_KEY, "None"):
        assert (await ask(plane=plain, headers=bearer(key)))[0] == 401


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YTpi", "bearer\tx", "Token x", "Bearer a b"])
async def test_strange_headers_are_nobody(ask: Ask, header: str) -> None:
    assert (await ask(headers={"Authorization": header}))[0] == 401


async def test_an_api_key_of_the_data_plane_opens_nothing_here(ask: Ask) -> None:
    assert (await ask(headers=bearer("sk-ps-bQZv5HafA5JYHBcmjCIF3wU6KlDL7U3R0R2CuS")))[0] == 401


async def test_who_must_change_the_password_may_do_nothing_else(plane: Plane, browser: Browser, ask: Ask) -> None:
    given = await tokens_of(browser, await plane.user(must_change=True))
    assert await ask(headers=bearer(given["access_token"])) == (403, "password_change_required")


async def test_a_token_does_not_outlive_a_change_of_role_or_tenant(
    plane: Plane, browser: Browser, ask: Ask, tenant: Tenant, neighbour: Tenant, as_superuser: RunStatement
) -> None:
    user = await plane.user(AdminRole.ANALYST, tenant)
    given = await tokens_of(browser, user)
    assert (await ask(headers=bearer(given["access_token"])))[0] == 200
    await as_superuser("UPDATE private.users SET tenant_id = $2 WHERE id = $1", user.id, neighbour.id)
    assert (await ask(headers=bearer(given["access_token"])))[0] == 401
    await as_superuser("UPDATE private.users SET tenant_id = $2 WHERE id = $1", user.id, tenant.id)
    await plane.access.users.change(user.id, role=AdminRole.AUDITOR)
    assert (await ask(headers=bearer(given["access_token"])))[0] == 401


async def test_people_of_a_deleted_tenant_are_nobody(plane: Plane, browser: Browser, ask: Ask, tenant: Tenant) -> None:
    given = await tokens_of(browser, await plane.user(AdminRole.TENANT_ADMIN, tenant))
    await Tenancy(plane.access.database).delete(tenant.id)
    assert (await ask(headers=bearer(given["access_token"])))[0] == 401


async def test_a_session_ends_when_idle_and_at_last(
    plane: Plane, browser: Browser, ask: Ask, as_superuser: RunStatement
) -> None:
    _, cookie, _ = await cookie_of(plane, browser)
    await as_superuser("UPDATE private.sessions SET last_seen_at = now() - interval '31 min'")
    assert (await ask(headers={"Cookie": cookie}))[0] == 401
    await as_superuser("UPDATE private.sessions SET last_seen_at = now(), ends_at = now() - interval '1 s'")
    assert (await ask(headers={"Cookie": cookie}))[0] == 401


def test_a_principal_of_a_tenant_reaches_that_tenant_alone() -> None:
    anna = Principal("user", 1, "anna", AdminRole.ANALYST, 7, "acme", frozenset({Permission.DECISIONS_READ}))
    assert anna.may(Permission.DECISIONS_READ, 7)
    assert not anna.may(Permission.DECISIONS_READ, 8)
    assert not anna.may(Permission.DECISIONS_READ, None)
    assert not anna.may(Permission.POLICIES_WRITE, 7)
