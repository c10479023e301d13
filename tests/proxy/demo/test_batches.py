"""The demo upstream's batches behind a real socket, driven by the official SDKs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from aiohttp.test_utils import BaseTestServer, TestServer
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI, BadRequestError

from proxy.demo.anthropic_messages import MOUNT
from proxy.demo.upstream import demo_app

HELLO: list[Any] = [{"role": "user", "content": "Hello there."}]


@pytest.fixture
async def server() -> AsyncIterator[BaseTestServer]:
    async with TestServer(demo_app(delay=0), host="127.0.0.1") as server:
        yield server


def lines(*documents: Any) -> tuple[str, bytes]:
    return "in.jsonl", b"".join(orjson.dumps(document) + b"\n" for document in documents)


async def test_a_batch_is_complete_at_once_with_an_answer_to_each_line(server: BaseTestServer) -> None:
    asked = [
        {"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "m", "messages": HELLO}},
        {"custom_id": "2", "method": "POST", "url": "/v1/responses", "body": {"model": "m"}},
    ]
    async with AsyncOpenAI(base_url=f"{server.make_url('/v1')}", api_key="sk-demo", max_retries=0) as client:
        file = await client.files.create(file=lines(*asked), purpose="batch")
        batch = await client.batches.create(
            input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
        )
        assert (await client.batches.retrieve(batch.id)).status == (await client.batches.cancel(batch.id)).status
        content = await client.files.content(str(batch.output_file_id))
        with pytest.raises(BadRequestError):
            await client.batches.create(input_file_id="file-9", endpoint="/v1/responses", completion_window="24h")

    results = [orjson.loads(line) for line in content.content.splitlines()]
    assert [(line["custom_id"], line["response"]["status_code"]) for line in results] == [("1", 200), ("2", 400)]
    assert "Hello there." in results[0]["response"]["body"]["choices"][0]["message"]["content"]


async def test_a_batch_of_messages_has_its_results(server: BaseTestServer) -> None:
    async with AsyncAnthropic(base_url=f"{server.make_url(MOUNT)}", api_key="sk-demo", max_retries=0) as client:
        batch = await client.messages.batches.create(
            requests=[{"custom_id": "1", "params": {"model": "m", "max_tokens": 9, "messages": HELLO}}]
        )
        results = [line async for line in await client.messages.batches.results(batch.id)]
        assert (await client.messages.batches.cancel(batch.id)).request_counts.succeeded == 1
        assert (await client.messages.batches.delete(batch.id)).id == batch.id

    assert [(line.custom_id, line.result.type) for line in results] == [("1", "succeeded")]
