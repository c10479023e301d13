"""Pages over real stores: somebody of a tenant sees what is its own on every page, and nothing of anybody else's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import quote, urlencode

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from proxy.control.access.types import AdminRole
from proxy.control.console import mount as mounting
from proxy.control.console.rendering import Rendering
from tests.proxy.control.console.conftest import CSRF
from tests.proxy.control.house import House, principal
from tests.proxy.control.stock import Stock

Real = TestClient[web.Request, web.Application]
LISTS = (
    "", "/decisions", "/incidents", "/reviews", "/reviews?status=released", "/usage", "/usage?by=tenant", "/policies",
    "/policies/_", "/policies/_/versions", "/playground", "/exclusions", "/judges", "/tenants", "/apps", "/keys",
    "/users", "/service-accounts", "/issuers", "/audit",
)  # fmt: skip


@pytest.fixture
async def real(house: House, rendering: Rendering, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Real]:
    """The console for an admin of acme; only signing in is left out."""
    who = replace(principal(AdminRole.TENANT_ADMIN, house.acme), csrf=CSRF)

    async def principal_of(_access: object, _request: web.Request) -> object:
        return who

    monkeypatch.setattr(mounting, "principal_of", principal_of)
    monkeypatch.setattr(mounting, "Rendering", lambda _assets: rendering)
    (house.parts.settings.policies_folder / "default.yaml").write_text("extends: preset/standard\n")
    app = web.Application()
    mounting.mount_console(app, house.parts)
    async with TestClient(TestServer(app)) as client:
        yield client


HOSTILE = ("\0", "%00", "' OR 1=1 --", "<script>", "\u202e", "9" * 40, "-1", "../..", "{{7*7}}", "a" * 5000, "\ud83d")


def one_of_each(stock: Stock) -> tuple[str, ...]:
    return (
        f"/decisions/{stock.decision}", f"/incidents/{stock.incident}", f"/users/{stock.user}",
        f"/tenants/{stock.tenant}",
    )  # fmt: skip


async def test_every_page_has_what_is_its_own_and_nothing_else(real: Real, stock: Stock, others_stock: Stock) -> None:
    own = set()
    for path in (*LISTS, *one_of_each(stock), f"/policies/_/versions/{stock.version}"):
        for query in ("", f"tenant={others_stock.tenant}", f"app={others_stock.app}"):
            answer = await real.get(f"/console{path}{'&' if '?' in path else '?'}{query}")
            text = await answer.text()
            assert answer.status == 200 or (query and answer.status in {404, 409, 422}), (path, query, text[-600:])
            found = [name for name in (others_stock.secret, others_stock.decision, others_stock.model) if name in text]
            assert found == [], (path, query)
            own |= {path} if stock.secret in text or stock.decision in text else set()
    assert {"/decisions", "/incidents", "/reviews", "/keys", "/users", "/service-accounts"} <= own


async def test_what_is_another_s_looks_like_what_is_not_there(real: Real, stock: Stock, others_stock: Stock) -> None:
    nothing = "01890a5d-ac96-774b-bcce-b302099a8057"
    for path in one_of_each(others_stock):
        there = await real.get(f"/console{path}")
        assert there.status == 404, path
        assert others_stock.secret not in await there.text()
    absent = await (await real.get(f"/console/decisions/{nothing}")).text()
    assert await (await real.get(f"/console/decisions/{others_stock.decision}")).text() == absent


async def test_forms_change_nothing_of_another(real: Real, house: House, stock: Stock, others_stock: Stock) -> None:
    tries = (
        (f"/decisions/{others_stock.decision}", {"do": "bodies"}),
        (f"/decisions/{others_stock.decision}", {"do": "excuse", "until": "2030-01-01", "reason": "not mine"}),
        (f"/incidents/{others_stock.incident}", {"do": "change", "status": "dismissed"}),
        ("/reviews", {"do": "release", "review": others_stock.decision, "reason": "not mine", "days": "3"}),
        ("/keys", {"do": "revoke", "key": str(others_stock.key)}),
        (f"/users/{others_stock.user}", {"do": "disable"}),
        ("/service-accounts", {"do": "revoke", "account": str(others_stock.account)}),
        (f"/tenants/{others_stock.tenant}", {"do": "rename", "name": "mine"}),
    )
    for path, typed in tries:
        for query in ("", f"?tenant={others_stock.tenant}"):
            answer = await real.post(f"/console{path}{query}", data={**typed, "csrf": CSRF}, allow_redirects=False)
            assert answer.status in {403, 404}, (path, typed)
    incident = await house.do("readIncident", {"incident": str(others_stock.incident)}, by=house.chief)
    assert incident.incident.status == "open"
    key = await house.do("readKey", {"tenant": others_stock.tenant, "key": str(others_stock.key)}, by=house.chief)
    assert key.state == "live"


async def test_no_address_ends_in_an_error_of_ours(real: Real, stock: Stock) -> None:
    names = (
        "tenant", "after", "since", "until", "period", "by", "key", "app", "rule", "content", "request_id", "status",
        "severity", "actor", "action", "said", "state",
    )  # fmt: skip
    seen = set()
    for path in (*LISTS, *one_of_each(stock)):
        for value in HOSTILE:
            query = urlencode(dict.fromkeys(names, value), errors="surrogatepass")
            answer = await real.get(URL(f"/console{path.partition('?')[0]}?{query}", encoded=True))
            seen.add(answer.status)
            assert answer.status < 500, (path, value)
    assert seen <= {200, 400, 404, 409, 422}


async def test_no_place_in_an_address_ends_in_an_error_of_ours(real: Real) -> None:
    for value in HOSTILE:
        place = quote(value, safe="", errors="surrogatepass")
        for path in ("decisions", "incidents", "policies", "users", "tenants", "static"):
            answer = await real.get(URL(f"/console/{path}/{place}", encoded=True))
            assert answer.status in {400, 404, 422}, (path, value, await answer.text())


async def test_no_form_ends_in_an_error_of_ours(real: Real, stock: Stock) -> None:
    kinds = (
        "multipart/form-data", "multipart/form-data; boundary=x", "application/json", "text/plain; charset=nothing",
        "application/x-www-form-urlencoded; charset=utf-7", "application/x-www-form-urlencoded; charset=nothing",
    )  # fmt: skip
    part = b"--x\r\nContent-Disposition: form-data\r\n\r\nz\r\n--x--"
    for kind in kinds:
        for body in (b"", b"a=\xff\xfe", b"--x\r\n\r\n", part):
            answer = await real.post("/console/tenants", data=body, headers={"Content-Type": kind})
            assert answer.status < 500, (kind, body)


async def test_no_field_ends_in_an_error_of_ours(real: Real, stock: Stock) -> None:
    names = (
        "name", "slug", "rule", "until", "reason", "text", "content", "days", "expires_at", "scopes", "jwks", "models",
        "claims", "decisions", "note", "assignee", "origin", "policy", "issuer",
    )  # fmt: skip
    forms = (
        ("/keys", "create"), ("/users", "create"), ("/apps", "create"), ("/exclusions", "create"),
        ("/issuers", "create"), ("/playground", "try"), ("/policies/_", "check"), ("/policies/_", "replay"),
        (f"/decisions/{stock.decision}", "excuse"), (f"/incidents/{stock.incident}", "change"),
    )  # fmt: skip
    for path, do in forms:
        for value in HOSTILE:
            typed = dict.fromkeys(names, value.encode(errors="replace").decode())
            answer = await real.post(f"/console{path}", data={**typed, "do": do, "csrf": CSRF}, allow_redirects=False)
            assert answer.status < 500, (path, do, value)
