"""How a stream that goes wrong ends, for the client and in the log: through the real handler, screen and journal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from aiohttp import web

from proxy.app import Detection
from proxy.edge import EdgeServer
from proxy.edge_settings import EdgeSettings
from proxy.egress.door import open_door
from proxy.egress.settings import EgressSettings
from proxy.handler import Handler
from proxy.limits.prices import Prices, PriceSettings
from proxy.parts import Parts
from proxy.releases import Releases
from proxy.screen import Screen, Screened
from proxy.settings import UpstreamSettings
from proxy.telemetry.metrics import WorkerMetrics
from proxy.upstreams.upstream import Upstreams
from storage.journal.journal import Journal
from storage.journal.reader import JournalReader
from storage.reviews import ReviewQueue
from storage.types import Identity, Outcome
from tests.proxy.conftest import MakePolicy
from tests.storage.journals import records_in

ASKED = orjson.dumps({"model": "m", "stream": True, "messages": [{"role": "user", "content": "hello"}]})
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\nContent-Length: %d\r\n\r\n"
KEY = bytes(range(32))


class Answer:
    """A long stream, as a pool hands it over."""

    status, headers = 200, {"Content-Type": "text/event-stream"}

    async def chunks(self) -> AsyncIterator[bytes]:
        for text in ("word " * 200, "more " * 200):
            choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
            yield b"data: " + orjson.dumps({"choices": [choice]}) + b"\n\n"

    def close(self) -> None:
        return


class Failing(Screen):
    """Judges the request and the first window, then has a fault of its own."""

    judged = 0

    async def judge(self, *asked: Any, **more: Any) -> Screened:
        self.judged += 1
        if self.judged > 2:
            raise RuntimeError
        return await super().judge(*asked, **more)


@pytest.fixture
def parts(tmp_path: Path, detection: Detection, make_policy: MakePolicy) -> Parts:
    async def identify(_key: str) -> Identity:
        return Identity(tenant_id=1, tenant="acme", app_id=1, app="shop", key_id=1)

    async def send(*_: object) -> Answer:
        return Answer()

    policy = make_policy("")
    around: dict[str, Any] = {
        "keys": SimpleNamespace(identify=identify),
        "policies": SimpleNamespace(policy_for=lambda _tenant, _app: policy),
        "pool": None,
        "health": SimpleNamespace(send=send),
        "house_keys": SimpleNamespace(tenant_content_key=lambda _tenant_id: KEY),
        "metering": SimpleNamespace(prices=Prices(PriceSettings())),
        "data_keys": None,
        "objects": None,
        "hooks": (),
        "releases": Releases(ReviewQueue(None)),  # type: ignore[arg-type]  # nobody has released anything
        "door": open_door("egress-token", EgressSettings()),
    }
    return Parts(
        codecs=detection.codecs,
        screen=Failing(detection.chain, detection.actions),
        upstreams=Upstreams([UpstreamSettings(name="u", base_url="http://upstream.test")]),
        journal=Journal(tmp_path),
        metrics=WorkerMetrics(0),
        edge=EdgeSettings(),
        instance="i",
        worker=0,
        **around,
    )


async def received(parts: Parts) -> bytes:
    runner = web.ServerRunner(EdgeServer(Handler(parts)), handle_signals=False, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        reader, writer = await asyncio.open_connection(*runner.addresses[0][:2])
        writer.write(HEAD % len(ASKED) + ASKED)
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()
    finally:
        await runner.cleanup()
    return answer


async def test_a_fault_of_ours_in_a_stream_is_logged_as_ours_with_what_was_judged(parts: Parts, tmp_path: Path) -> None:
    await received(parts)
    (row,) = records_in(JournalReader(tmp_path, {}).read(frozenset()))
    assert (row.outcome, row.status, row.error_stage) == (Outcome.INTERNAL_ERROR, 200, "RuntimeError")
    assert row.response_action == "allow"


async def test_a_fault_of_ours_breaks_a_stream_off_and_no_second_answer_stands_inside(parts: Parts) -> None:
    answer = await received(parts)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert not answer.endswith(b"0\r\n\r\n")
