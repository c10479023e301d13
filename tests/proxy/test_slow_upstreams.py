"""An upstream that talks for ever: its answer ends when its time is up, as what the client can understand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import orjson
import pytest
from aiohttp import web

from proxy.app import Detection
from proxy.settings import Timeouts, UpstreamSettings
from storage.types import Outcome
from tests.harness import Recorder, chunk
from tests.proxy.conftest import MakePolicy
from tests.proxy.serving import Serving, serving

CHAT = {"model": "scripted", "messages": [{"role": "user", "content": "hello"}]}


async def dripping(request: web.Request, body: bytes) -> web.StreamResponse:
    """Stream words, or the beginning of a document, without an end."""
    streamed = orjson.loads(body).get("stream") is True
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream" if streamed else "application/json"})
    await response.prepare(request)
    word = b"data: " + orjson.dumps(chunk({"content": "word " * 20})) + b"\n\n" if streamed else b" "
    while True:
        await response.write(word)
        await asyncio.sleep(0.005)


@pytest.fixture(scope="module")
def recorder() -> Iterator[Recorder]:
    with Recorder() as recorder:
        recorder.scripts["scripted"] = dripping
        yield recorder


@pytest.fixture
async def served(
    tmp_path: Path, detection: Detection, make_policy: MakePolicy, recorder: Recorder
) -> AsyncIterator[Serving]:
    upstream = UpstreamSettings(name="slow", base_url=recorder.url, timeouts=Timeouts(total=0.5))
    async with serving(tmp_path, detection, make_policy(""), upstream) as served:
        yield served


async def test_an_answer_that_does_not_end_is_a_504(served: Serving) -> None:
    status, said = await asyncio.wait_for(served.ask("/v1/chat/completions", CHAT), 5)
    assert (status, said["error"]["code"]) == (504, "upstream_timeout")
    (row,) = served.rows()
    assert (row.outcome, row.error_stage) == (Outcome.UPSTREAM_ERROR, "upstream:timeout")


async def test_a_stream_that_does_not_end_ends_in_an_error_event(served: Serving) -> None:
    headers = {"x-promptshield-key": "acme-key"}
    body = orjson.dumps(CHAT | {"stream": True})
    async with served.client.post("/v1/chat/completions", data=body, headers=headers) as answer:
        said = await asyncio.wait_for(answer.read(), 5)
    *words, last = said.strip().split(b"\n\n")
    assert b"word word" in words[1]
    assert b"upstream_error" in last
    assert b"[DONE]" not in said
    (row,) = served.rows()
    assert (row.outcome, row.error_stage) == (Outcome.UPSTREAM_ERROR, "timeout")
