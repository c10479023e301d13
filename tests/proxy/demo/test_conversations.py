"""The demo upstream's conversations, driven by the official SDK."""

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


async def test_a_conversation_is_made_changed_and_deleted(client: AsyncOpenAI) -> None:
    made = await client.conversations.create(metadata={"topic": "one"})
    await client.conversations.update(made.id, metadata={"topic": "two"})

    assert (await client.conversations.retrieve(made.id)).metadata == {"topic": "two"}
    assert (await client.conversations.delete(made.id)).deleted
    with pytest.raises(NotFoundError):
        await client.conversations.retrieve(made.id)


async def test_items_are_added_listed_shown_and_deleted(client: AsyncOpenAI) -> None:
    made = await client.conversations.create(items=[{"role": "user", "content": "first"}])
    added = await client.conversations.items.create(made.id, items=[{"role": "user", "content": "second"}])
    listed = [item.id or "" async for item in client.conversations.items.list(made.id, limit=1)]  # page by page

    assert (len(listed), listed[0]) == (2, added.data[0].id)
    assert "second" in str(await client.conversations.items.retrieve(listed[0], conversation_id=made.id))
    await client.conversations.items.delete(listed[0], conversation_id=made.id)
    assert [item.id or "" async for item in client.conversations.items.list(made.id)] == listed[1:]
    with pytest.raises(NotFoundError):
        await client.conversations.items.retrieve(listed[0], conversation_id=made.id)


async def test_a_response_goes_on_with_a_conversation(client: AsyncOpenAI) -> None:
    made = await client.conversations.create()
    answer = await client.responses.create(model="demo-small", input="hi", conversation=made.id)
    said = [item async for item in client.conversations.items.list(made.id, order="asc")]

    assert answer.conversation
    assert answer.conversation.id == made.id
    assert [getattr(item, "role", "") for item in said] == ["user", "assistant"]
    with pytest.raises(NotFoundError):
        await client.responses.create(model="demo-small", input="hi", conversation="conv_of_nobody")


@pytest.mark.parametrize("items", [5, ["hi"], {}])
async def test_items_that_are_none_are_a_bad_request(client: AsyncOpenAI, items: object) -> None:
    made = await client.conversations.create()
    with pytest.raises(BadRequestError):
        await client.conversations.items.create(made.id, items=[], extra_body={"items": items})
