"""Webhooks as receivers see them: what is sent, how it is signed, and what their answers mean."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
from aiohttp import web
from pydantic import ValidationError

from detectors.errors import StorageError, UnavailableError
from storage.sinks._http import Pause
from storage.sinks.webhook import WebhookSettings, WebhookSink
from tests.storage.sinks.certificates import server_context
from tests.storage.sinks.receivers import HttpReceiver
from tests.storage.sinks.records import ordinary, record

OLD, NEW = (base64.b64encode(word * 24).decode() for word in (b"o", b"n"))
NOW = 1_790_000_000.5


@pytest.fixture
async def receiver() -> AsyncIterator[HttpReceiver]:
    started = HttpReceiver()
    await started.come_back()
    yield started
    await started.go_away()


def settings_for(receiver: HttpReceiver, **keys: object) -> WebhookSettings:
    given: dict[str, object] = {
        "type": "webhook", "url": f"http://127.0.0.1:{receiver.port}/hook", "secrets": [f"whsec_{OLD}"],
        "allow_networks": ["127.0.0.0/8"], "concurrency": 4,
    }  # fmt: skip
    return WebhookSettings.model_validate(given | keys)


@pytest.fixture
async def sink(receiver: HttpReceiver) -> AsyncIterator[WebhookSink]:
    opened = WebhookSink(settings_for(receiver), clock=lambda: NOW)
    yield opened
    await opened.close()


async def test_a_call_is_signed_as_standard_webhooks_say_by_every_secret(receiver: HttpReceiver) -> None:
    sink = WebhookSink(settings_for(receiver, secrets=[f"whsec_{NEW}", f"whsec_{OLD}"]), clock=lambda: NOW)
    await sink.write([given := record()])
    await sink.close()
    (call,) = receiver.calls
    signed = f"{given.id}.1790000000.".encode() + call.body
    keys = [base64.b64decode(secret) for secret in (NEW, OLD)]
    expected = [f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}" for key in keys]
    assert call.headers["webhook-signature"].split(" ") == expected
    assert call.headers["webhook-id"] == given.id
    assert call.headers["webhook-timestamp"] == "1790000000"


async def test_a_call_says_what_was_decided(receiver: HttpReceiver, sink: WebhookSink) -> None:
    await sink.write([given := record()])
    event = orjson.loads(receiver.calls[0].body)
    assert event["type"] == "decision.block"
    assert event["timestamp"] == event["data"]["opened_at"]
    assert event["data"]["id"] == given.id


async def test_only_what_was_asked_for_is_sent(receiver: HttpReceiver) -> None:
    sink = WebhookSink(settings_for(receiver, on=["mask", "allow"], tenants=[2]))
    wanted = [record(2, action="mask"), record(2, action="allow"), record(2, action="")]
    await sink.write([*wanted, record(1, action="mask"), record(2, action="flag"), record(2, action="block")])
    await sink.close()
    assert {call.headers["webhook-id"] for call in receiver.calls} == {given.id for given in wanted}


async def test_after_a_failure_only_what_did_not_arrive_is_sent_again(
    receiver: HttpReceiver, sink: WebhookSink
) -> None:
    records = ordinary(20)
    receiver.answers = [web.Response(status=204) for _ in range(7)] + [web.Response(status=503)]
    with pytest.raises(UnavailableError, match="answered 503"):
        await sink.write(records)
    await sink.write(records)
    arrived = [call.headers["webhook-id"] for call in receiver.calls]
    assert len(arrived) == 21
    assert set(arrived) == {given.id for given in records}


async def test_a_refused_event_is_named_and_the_others_arrive_once(receiver: HttpReceiver, sink: WebhookSink) -> None:
    records = ordinary(6)
    receiver.answers = [web.Response(status=422)]
    for batch in (records, records[:3], records[:1]):
        with pytest.raises(StorageError, match="answered 422"):
            await sink.write(batch)
    await sink.write(records[1:])
    assert len(receiver.calls) == 6


@pytest.mark.parametrize("status", [301, 302, 401, 403, 404, 408, 410, 425, 429, 500, 503])
async def test_a_receiver_that_is_set_up_wrong_or_busy_blames_no_event(
    status: int, receiver: HttpReceiver, sink: WebhookSink
) -> None:
    receiver.answers = [web.Response(status=status)]
    with pytest.raises(UnavailableError, match=str(status)):
        await sink.write([given := record()])
    await sink.write([given])
    assert len(receiver.calls) == 2


async def test_a_receiver_that_asks_for_a_pause_gets_it_within_reason(receiver: HttpReceiver) -> None:
    now = 0.0
    pause = Pause("webhook", clock=lambda: now)
    sink = WebhookSink(settings_for(receiver), pause=pause)
    receiver.answers = [web.Response(status=429, headers={"Retry-After": "86400"})]
    given = [record()]
    for _ in range(3):
        with pytest.raises(UnavailableError):
            await sink.write(given)
    assert len(receiver.calls) == 1
    now = 301.0
    await sink.write(given)
    await sink.close()
    assert len(receiver.calls) == 2


async def test_tls_is_checked_against_the_host_that_was_named(tmp_path: Path) -> None:
    tls, authority = server_context(tmp_path)
    receiver = HttpReceiver(tls=tls)
    await receiver.come_back()
    trusted = settings_for(receiver, url=f"https://localhost:{receiver.port}/", ca_file=authority)
    sink = WebhookSink(trusted)
    await sink.write([record()])
    await sink.close()
    for other in ({"ca_file": None}, {"url": f"https://127.0.0.1:{receiver.port}/"}):
        stranger = WebhookSink(trusted.model_copy(update=other))
        with pytest.raises(UnavailableError, match="Certificate"):
            await stranger.write([record()])
        await stranger.close()
    await receiver.go_away()
    assert len(receiver.calls) == 1


@pytest.mark.parametrize(
    "keys",
    [{"secrets": []}, {"secrets": ["whsec_short"]}, {"secrets": [OLD]}, {"secrets": ["whsec_ä"]}, {"on": ["blok"]},
     {"url": "ftp://x"}, {"url": "https://user:pass@x/"}, {"concurrency": 0}, {"allow_networks": ["10.0.0.0/99"]}],
)  # fmt: skip
def test_settings_that_cannot_work_are_refused_without_quoting_a_secret(keys: dict[str, object]) -> None:
    given = {"type": "webhook", "url": "https://siem.example/hook", "secrets": [f"whsec_{OLD}"]}
    WebhookSettings.model_validate(given)
    with pytest.raises(ValidationError) as refusal:
        WebhookSettings.model_validate(given | keys)
    assert not [word for word in (OLD, "user:pass", "short") if word in str(refusal.value)]
