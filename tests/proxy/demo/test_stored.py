"""The demo upstream's stored responses, driven by the official SDK."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import TestServer
from openai import AsyncOpenAI, BadRequestError, NotFoundError

from proxy.demo.upstream import demo_app


@pytest.fixture
async def client() -> AsyncIterator[AsyncOpenAI]:
    async with (
        TestServer(demo_app(delay=0), host="127.0.0.1") as server,
        AsyncOpenAI(base_url=f"{server.make_url('/v1')}", api_key="sk-demo", max_retries=0) as openai,
    ):
        yield openai


async def test_a_response_is_shown_with_its_input_until_it_is_deleted(client: AsyncOpenAI) -> None:
    made = await client.responses.create(model="demo-small", input="Remember [CITY].")
    again = await client.responses.retrieve(made.id)
    asked = [item async for item in client.responses.input_items.list(made.id)]

    assert again.output_text == made.output_text
    assert "Remember [CITY]." in str(asked[0])
    await client.responses.delete(made.id)
    with pytest.raises(NotFoundError):
        await client.responses.retrieve(made.id)


async def test_what_may_not_be_stored_is_not_there(client: AsyncOpenAI) -> None:
    made = await client.responses.create(model="demo-small", input="hi", store=False)
    with pytest.raises(NotFoundError):
        await client.responses.retrieve(made.id)


async def test_a_stream_is_told_again_from_any_event(client: AsyncOpenAI) -> None:
    stream = await client.responses.create(model="demo-small", input="hi", stream=True, background=True)
    first = [event async for event in stream]
    name = first[0].response.id  # type: ignore[union-attr]
    again = [event async for event in await client.responses.retrieve(name, stream=True, starting_after=7)]

    assert again == first[8:]


async def test_only_what_runs_in_the_background_can_be_cancelled(client: AsyncOpenAI) -> None:
    plain = await client.responses.create(model="demo-small", input="hi")
    behind = await client.responses.create(model="demo-small", input="hi", background=True)

    assert (behind.status, behind.output) == ("queued", [])
    assert (await client.responses.cancel(behind.id)).status == "cancelled"
    assert (await client.responses.retrieve(behind.id)).status == "cancelled"
    with pytest.raises(BadRequestError):
        await client.responses.cancel(plain.id)
