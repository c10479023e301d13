"""Webhooks of policies: signed, for the actions they name, each tenant's by itself, and none in the way of another."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from ipaddress import ip_network
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from policies.types import ActionName
from policies.webhooks import LIMIT, Webhook
from proxy.control.policy_webhooks import MOST_WAITING, Announced, PolicyWebhooks, webhook_secret
from storage.chains.canonical import seal, unsealed
from storage.journal.courier import ChainingSink
from storage.types import DecisionRecord
from tests.storage.sinks.records import record

LOOPBACK = (ip_network("127.0.0.0/8"),)
Called = list[tuple[dict[str, str], bytes]]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Endpoint:
    """A receiver that answers as it is told."""

    def __init__(self) -> None:
        self.status, self.calls = 204, Called()

    async def answer(self, request: web.Request) -> web.Response:
        self.calls.append((dict(request.headers), await request.read()))
        return web.Response(status=self.status)


@pytest.fixture
async def endpoint() -> AsyncIterator[tuple[Endpoint, str]]:
    endpoint, app = Endpoint(), web.Application()
    app.router.add_post("/hook", endpoint.answer)
    async with TestServer(app) as server:
        yield endpoint, str(server.make_url("/hook"))


def key_of(tenant_id: int) -> bytes:
    return bytes([tenant_id]) * 32


def hooks(clock: Clock, **urls: str) -> PolicyWebhooks:
    """Webhooks of policies by name, for blocks."""
    policies: Any = {
        name: SimpleNamespace(webhooks=(Webhook(url, frozenset({ActionName.BLOCK}), LOOPBACK),))
        for name, url in urls.items()
    }
    return PolicyWebhooks(lambda: policies, key_of, clock)


def hooks_on(url: str, on: frozenset[str]) -> PolicyWebhooks:
    """The webhook of one policy, for what it names."""
    policies: Any = {"acme": SimpleNamespace(webhooks=(Webhook(url, on, LOOPBACK),))}
    return PolicyWebhooks(lambda: policies, key_of, Clock())


def blocked(**fields: Any) -> DecisionRecord:
    return record(action="block", policy_id="acme", tenant_id=1, **fields)


async def test_a_block_is_told_signed_with_the_tenants_own_secret(endpoint: tuple[Endpoint, str]) -> None:
    received, url = endpoint
    webhooks = hooks(Clock(), acme=url)
    webhooks.tell([blocked(), record(action="allow", policy_id="acme"), record(action="block", policy_id="other")])
    await webhooks.run_once()
    await webhooks.close()
    ((headers, body),) = received.calls
    secret = base64.b64decode(webhook_secret(key_of(1), url).removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert orjson.loads(body)["type"] == "decision.block"


async def test_a_warning_is_not_lost_because_its_decision_flagged_something(endpoint: tuple[Endpoint, str]) -> None:
    received, url = endpoint
    facts = '{"limit":{"kind":"cost","level":"tenant","limit":5,"seconds":2592000,"used":0.83,"whose":""}}'
    told = []
    for on in ({LIMIT}, {LIMIT, ActionName.FLAG}):
        webhooks = hooks_on(url, frozenset(on))
        webhooks.tell([record(action="flag", policy_id="acme", tenant_id=1, facts=facts)])
        await webhooks.run_once()
        await webhooks.close()
        told.append([orjson.loads(body)["type"] for _, body in received.calls])
        received.calls.clear()
    assert told == [["limit.warning"], ["decision.flag"]]  # that it flagged is what the second asked for


async def test_a_limit_that_is_nearly_used_is_told_to_those_who_asked_for_that(endpoint: tuple[Endpoint, str]) -> None:
    received, url = endpoint
    facts = '{"limit":{"kind":"cost","level":"tenant","limit":5,"seconds":60,"used":0.83,"whose":""}}'
    warning = record(action="allow", policy_id="acme", tenant_id=1, facts=facts)
    named: Any = {
        name: SimpleNamespace(webhooks=(Webhook(url, frozenset({word}), LOOPBACK),))
        for name, word in (("acme", LIMIT), ("other", ActionName.BLOCK))
    }
    webhooks = PolicyWebhooks(lambda: named, key_of, Clock())
    webhooks.tell([warning, blocked(), record(action="allow", policy_id="other", tenant_id=1, facts=facts)])
    await webhooks.run_once()
    await webhooks.close()
    ((_, body),) = received.calls
    told = orjson.loads(body)
    assert (told["type"], told["data"]["facts"]["limit"]["used"]) == ("limit.warning", 0.83)


def test_every_tenant_and_address_has_a_secret_of_its_own() -> None:
    secrets = {webhook_secret(key_of(tenant), url) for tenant in (1, 2) for url in ("https://a", "https://b")}
    assert len(secrets) == 4


async def test_an_endpoint_that_fails_is_left_alone_and_told_later_in_order(endpoint: tuple[Endpoint, str]) -> None:
    received, url = endpoint
    received.status, clock = 503, Clock()
    webhooks = hooks(clock, acme=url)
    webhooks.tell([blocked()])
    for _ in range(3):
        await webhooks.run_once()
    assert len(received.calls) == 1
    received.status, clock.now = 204, 400.0
    await webhooks.run_once()
    await webhooks.close()
    assert len(received.calls) == 2
    assert received.calls[0][0]["webhook-id"] == received.calls[1][0]["webhook-id"]


async def test_no_endpoint_waits_for_another(endpoint: tuple[Endpoint, str]) -> None:
    received, url = endpoint
    webhooks = hooks(Clock(), acme="http://127.0.0.1:9/gone", other=url)
    webhooks.tell([blocked(), record(action="block", policy_id="other", tenant_id=2)])
    await webhooks.run_once()
    await webhooks.close()
    assert len(received.calls) == 1


async def test_what_an_endpoint_does_not_take_is_bounded_and_counted() -> None:
    webhooks = hooks(Clock(), acme="http://127.0.0.1:9/gone")
    webhooks.tell([blocked()] * (MOST_WAITING + 5))
    assert webhooks.given_up == 5


async def test_webhooks_hear_of_what_is_stored_and_of_nothing_else() -> None:
    told: list[Any] = []

    class Refusing:
        name = "postgres"

        async def write(self, _records: object) -> None: ...

        async def write_sealed(self, _decisions: object) -> None:
            raise OSError

        async def close(self) -> None: ...

    announced = Announced(Refusing(), SimpleNamespace(tell=told.append))  # type: ignore[arg-type]
    with pytest.raises(OSError):
        await announced.write([blocked()])
    assert told == []


async def test_what_ships_as_it_was_sealed_is_told_all_the_same() -> None:
    """The sink of record takes decisions as they lie in the journal; whoever wraps it must not hide that."""
    stored: list[Any] = []

    class Storing:
        name = "postgres"

        async def write(self, _records: object) -> None:
            raise AssertionError("opened on the way")

        async def write_sealed(self, decisions: Sequence[Any]) -> None:
            stored.extend(decisions)

        async def close(self) -> None: ...

    webhooks = hooks(Clock(), acme="http://127.0.0.1:9/gone")
    announced = Announced(Storing(), webhooks)
    assert isinstance(announced, ChainingSink)
    sealed = [seal(blocked()), seal(replace(blocked(), policy_id="nobody's"))]
    await announced.write_sealed(sealed)
    assert stored == sealed
    (endpoint,) = webhooks._endpoints.values()
    assert list(endpoint.waiting) == [unsealed(sealed[0])]
