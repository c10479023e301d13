from __future__ import annotations

import io
from collections.abc import AsyncIterator

import orjson
import pytest

from proxy.control.access.types import AdminRole
from proxy.control.mounting import LARGEST
from tests.proxy.control.house import House
from tests.proxy.control.serving import Client, bearer, serving, token
from tests.proxy.control.stock import Stock

TENANTS = "/api/v1/tenants"


@pytest.fixture
async def client(house: House) -> AsyncIterator[Client]:
    async with serving(house.parts) as opened:
        opened.session.headers.update(bearer(await token(house.parts, AdminRole.TENANT_ADMIN, house.acme)))
        yield opened


async def test_nobody_is_answered_without_signing_in(client: Client) -> None:
    for header in ({"Authorization": "Bearer x"}, {"Authorization": "Basic YTpi"}, {"Authorization": ""}):
        response = await client.get(TENANTS, headers=header)
        assert response.status == 401
        assert (await response.json())["error"]["code"]
        assert response.headers["WWW-Authenticate"] == "Bearer"


async def test_an_answer_is_json_that_nobody_keeps(client: Client, house: House) -> None:
    response = await client.get(f"{TENANTS}/{house.acme.slug}")
    assert response.status == 200
    assert (await response.json())["slug"] == house.acme.slug
    assert (response.headers["Cache-Control"], response.headers["X-Content-Type-Options"]) == ("no-store", "nosniff")


async def test_what_is_not_there_says_so_in_one_shape(client: Client) -> None:
    for method, path, status in (
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/api/v1/tenants/not-there", 404),
        ("PUT", TENANTS, 405),
        ("GET", "/api/v1/tenants/%2e%2e%2f", 404),
        ("GET", "/api/v1/tenants/a%00b", 404),
        ("DELETE", "/api/v1/auth/sessions/%00", 404),
    ):
        response = await client.request(method, path)
        assert response.status == status, path
        assert set((await response.json())["error"]) == {"code", "message"}


async def test_a_body_is_one_json_object_of_bounded_size(client: Client, house: House) -> None:
    path = f"{TENANTS}/{house.acme.slug}/apps"
    for body, kind, status in (
        (b'{"name": "a"', "application/json", 422),
        (b"[]", "application/json", 422),
        (b"null", "application/json", 422),
        (b'{"name": "\\ud800"}', "application/json", 422),
        (b"\xff\xfe", "application/json", 422),
        (b"[" * 100_000, "application/json", 422),
        (b'{"name": "a"}', "text/plain", 415),
        (b"name=a", "application/x-www-form-urlencoded", 415),
        (b" " * (LARGEST + 1), "application/json", 413),
        (b"", "application/json", 422),
    ):
        response = await client.post(path, data=io.BytesIO(body), headers={"Content-Type": kind})
        assert response.status == status, (body[:20], await response.text())
    huge = orjson.dumps({"name": 10**15})
    response = await client.post(path, data=huge, headers={"Content-Type": "application/json"})
    assert (response.status, (await response.json())["error"]["field"]) == (422, "name")


async def test_a_name_that_is_given_twice_is_refused(client: Client) -> None:
    response = await client.get(f"{TENANTS}?limit=1&limit=2")
    assert (response.status, (await response.json())["error"]["field"]) == (422, "limit")
    for body, field in ((b'{"name": "a", "name": "b"}', "name"), (b'{"name": {"x": 1, "x": 2}}', "x")):
        sent = await client.post(f"{TENANTS}/acme/apps", data=body, headers={"Content-Type": "application/json"})
        assert (sent.status, (await sent.json())["error"]["field"]) == (422, field)


async def test_what_a_body_holds_is_taken_for_what_it_is_and_for_nothing_else(client: Client, house: House) -> None:
    keys = f"{TENANTS}/{house.acme.slug}/keys"
    for body, field in (
        ({"app": "default", "additional": 1}, "additional"),
        ({"app": "default", "additional": "yes"}, "additional"),
        ({"app": 7}, "app"),
        ({"app": "default", "expires_at": 4_000_000_000}, "expires_at"),
    ):
        sent = await client.post(keys, json=body)
        assert (sent.status, (await sent.json())["error"]["field"]) == (422, field)
    made = await client.post(keys, json={"app": "bodies", "expires_at": "2100-01-01T00:00:00Z"})
    assert made.status == 201
    number = (await made.json())["key"]["id"]
    for minutes, status in ((True, 422), ("5", 422), (5.5, 422), (5, 201)):
        sent = await client.post(f"{keys}/{number}/rotate", json={"overlap_minutes": minutes})
        assert sent.status == status, minutes


async def test_no_answer_has_a_character_that_a_terminal_obeys(client: Client, house: House, stock: Stock) -> None:
    body = {"text": "a\x1b[31m\x9b31mred \u202eabc\u200b\U000e0041"}
    response = await client.post(f"{TENANTS}/{house.acme.slug}/playground", json=body)
    raw = await response.read()
    assert response.status == 200
    assert not {*"\x1b\x9b\u202e\u200b\U000e0041"} & {*raw.decode()}
    assert (await response.json())["views"][0]["text"] == body["text"]


async def test_a_refusal_of_a_policy_has_its_problems(client: Client, house: House) -> None:
    path = f"{TENANTS}/{house.acme.slug}/policies/_/versions"
    response = await client.post(path, json={"content": "mdoe: x\n", "reason": "try it"})
    error = (await response.json())["error"]
    assert (response.status, error["field"], error["problems"][0]["line"]) == (422, "content", 1)


async def test_the_document_of_operations_needs_no_sign_in(client: Client) -> None:
    response = await client.get("/api/v1/openapi.json", headers={"Authorization": ""})
    assert (await response.json())["openapi"] == "3.1.0"


async def test_what_was_done_stands_in_the_admin_audit(client: Client, house: House) -> None:
    await client.post(f"{TENANTS}/{house.acme.slug}/apps", json={"name": "bot"})
    await client.get(f"{TENANTS}/{house.globex.slug}")
    listed = await client.get("/api/v1/audit-events")
    events = [(event["action"], event["target"]) for event in (await listed.json())["items"]]
    assert ("createApp", f"{house.acme.slug}/bot") in events
    assert ("denied", "readTenant") in events
