"""OCSF events to a collector; into files is the contract's part."""

from __future__ import annotations

from collections.abc import AsyncIterator

import orjson
import pytest
from aiohttp import web

from detectors.errors import StorageError, UnavailableError
from storage.ocsf import ocsf_event
from storage.published import published_row
from storage.sinks.ocsf import CollectorSettings, OcsfCollectorSink
from tests.storage.sinks.receivers import HttpReceiver
from tests.storage.sinks.records import extremes, ordinary, poison


@pytest.fixture
async def receiver() -> AsyncIterator[HttpReceiver]:
    started = HttpReceiver()
    await started.come_back()
    yield started
    await started.go_away()


@pytest.fixture
async def sink(receiver: HttpReceiver) -> AsyncIterator[OcsfCollectorSink]:
    given = {
        "url": f"http://127.0.0.1:{receiver.port}/raw", "authorization": "Splunk t0ken",
        "allow_networks": ["127.0.0.0/8"],
    }  # fmt: skip
    opened = OcsfCollectorSink("siem", CollectorSettings.model_validate(given))
    yield opened
    await opened.close()


async def test_a_batch_is_one_call_with_an_event_a_line(receiver: HttpReceiver, sink: OcsfCollectorSink) -> None:
    records = ordinary(3) + extremes()
    await sink.write(records)
    (call,) = receiver.calls
    assert call.headers["content-type"] == "application/x-ndjson"
    assert call.headers["authorization"] == "Splunk t0ken"
    events = [orjson.loads(line) for line in call.body.splitlines()]
    assert events == [orjson.loads(orjson.dumps(ocsf_event(published_row(given)))) for given in records]


async def test_nothing_of_a_batch_with_a_bad_record_is_sent(receiver: HttpReceiver, sink: OcsfCollectorSink) -> None:
    for bad in poison():
        with pytest.raises(StorageError):
            await sink.write([*ordinary(1), bad])
    assert receiver.calls == []


async def test_the_answer_says_who_is_to_blame(receiver: HttpReceiver, sink: OcsfCollectorSink) -> None:
    receiver.answers = [web.Response(status=status) for status in (413, 401, 200)]
    with pytest.raises(StorageError, match="sink siem: its receiver answered 413") as refused:
        await sink.write(ordinary(1))
    assert not isinstance(refused.value, UnavailableError)
    with pytest.raises(UnavailableError, match="401"):
        await sink.write(ordinary(1))
    await sink.write(ordinary(1))


async def test_away_and_back(receiver: HttpReceiver, sink: OcsfCollectorSink) -> None:
    await receiver.go_away()
    with pytest.raises(UnavailableError):
        await sink.write(ordinary(1))
    await receiver.come_back()
    await sink.write(ordinary(1))
    assert len(receiver.calls) == 1
