"""The demo upstream in Anthropic's dialect, behind a real socket, driven by the official SDK."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestServer
from anthropic import AsyncAnthropic, BadRequestError

from proxy.demo.upstream import MODELS, demo_app, demo_upstreams

WEATHER: dict[str, Any] = {
    "name": "get_weather",
    "description": "Tell the weather.",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 3}},
        "required": ["city", "days"],
    },
}
HELLO: list[dict[str, Any]] = [{"role": "user", "content": "My address is [EMAIL_1], write to me."}]


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with TestServer(demo_app(delay=0), host="127.0.0.1") as server:
        yield f"{server.make_url('/anthropic')}"


@pytest.fixture
async def client(url: str) -> AsyncIterator[AsyncAnthropic]:
    async with AsyncAnthropic(base_url=url, api_key="sk-demo", max_retries=0) as anthropic:
        yield anthropic


async def ask(client: AsyncAnthropic, messages: list[dict[str, Any]] = HELLO, **options: Any) -> Any:
    return await client.messages.create(**{"model": "demo-small", "max_tokens": 500, "messages": messages, **options})


def test_the_demo_upstreams_speak_both_dialects() -> None:
    assert [(u.name, u.dialect, u.base_url) for u in demo_upstreams(7)] [:2] == [
        ("demo", "openai", "http://127.0.0.1:7/v1"),
        ("demo-anthropic", "anthropic", "http://127.0.0.1:7/anthropic/v1"),
    ]  # fmt: skip


async def test_a_message_is_answered_with_a_quote_of_what_arrived(client: AsyncAnthropic) -> None:
    answer = await ask(client, system=[{"type": "text", "text": "Be brief."}])

    assert "My address is [EMAIL_1], write to me." in answer.content[0].text
    assert (answer.model, answer.role, answer.stop_reason) == ("demo-small", "assistant", "end_turn")
    assert answer.usage.input_tokens > 10
    assert answer.usage.output_tokens > 10
    assert answer._request_id


async def test_a_stream_says_word_for_word_what_the_answer_says(client: AsyncAnthropic) -> None:
    async with client.messages.stream(model="demo-small", max_tokens=500, messages=HELLO) as stream:  # type: ignore[arg-type]
        streamed = "".join([text async for text in stream.text_stream])
        final = await stream.get_final_message()
    answer = await ask(client)

    assert streamed == answer.content[0].text
    assert final.usage == answer.usage
    assert final.stop_reason == "end_turn"


async def test_few_tokens_cut_the_answer_short(client: AsyncAnthropic) -> None:
    answer = await ask(client, max_tokens=3)

    assert (answer.content[0].text.split(), answer.stop_reason) == (["Hello", "from", "the"], "max_tokens")


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_tool_is_called_with_input_that_fits_its_schema(client: AsyncAnthropic, streamed: bool) -> None:
    options: Any = {"model": "demo-tools", "max_tokens": 500, "messages": HELLO, "tools": [WEATHER]}
    if streamed:
        async with client.messages.stream(**options) as stream:
            answer: Any = await stream.get_final_message()
    else:
        answer = await ask(client, **options)

    (block,) = answer.content
    assert (block.type, block.name, answer.stop_reason) == ("tool_use", "get_weather", "tool_use")
    assert block.input["days"] >= 3
    assert isinstance(block.input["city"], str)


async def test_a_tool_that_is_chosen_is_called_and_none_where_none_may_be(client: AsyncAnthropic) -> None:
    other = {**WEATHER, "name": "other"}
    chosen = await ask(client, tools=[WEATHER, other], tool_choice={"type": "tool", "name": "other"})
    none = await ask(client, tools=[WEATHER], tool_choice={"type": "none"})

    assert (chosen.content[0].name, none.content[0].type) == ("other", "text")


async def test_a_tools_result_is_repeated_and_no_tool_called_again(client: AsyncAnthropic) -> None:
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "Sunny."}]}
    answer = await ask(client, [*HELLO, {"role": "user", "content": [result]}], tools=[WEATHER])

    assert "The tool you ran told me: “Sunny.”" in answer.content[0].text


async def test_more_text_counts_more_tokens(client: AsyncAnthropic) -> None:
    count = client.messages.count_tokens
    short = await count(model="demo-small", messages=HELLO)  # type: ignore[arg-type]
    long = await count(model="demo-small", messages=HELLO, system="word " * 100)  # type: ignore[arg-type]

    assert 0 < short.input_tokens < long.input_tokens - 100


async def test_the_models_are_listed(client: AsyncAnthropic) -> None:
    assert [model.id async for model in client.models.list()] == list(MODELS)


@pytest.mark.parametrize(
    "body",
    [
        b"{", b"[]", b"{}", b'{"model": "m"}', b'{"model": "m", "messages": []}', b'{"model": "m", "messages": ["x"]}',
        b'{"model": "", "messages": [{}]}', b'{"model": "m", "messages": [{}], "tools": [{}]}',
        b'{"model": "m", "messages": [{}], "tools": {"a": 1}}',
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["messages", "messages/count_tokens"])
async def test_what_is_no_request_is_refused_in_the_dialects_shape(url: str, path: str, body: bytes) -> None:
    async with aiohttp.ClientSession() as session, session.post(f"{url}/v1/{path}", data=body) as response:
        assert response.status == 400
        refused = await response.json()
    assert (refused["type"], refused["error"]["type"]) == ("error", "invalid_request_error")


async def test_odd_but_possible_requests_are_answered(client: AsyncAnthropic, url: str) -> None:
    bodies: list[dict[str, Any]] = [
        {"messages": [{}]},
        {"messages": [{"role": "user", "content": [5, {"type": "text"}]}], "max_tokens": "x", "tool_choice": "auto"},
        {"messages": [{"role": "assistant", "content": None}], "tools": [{"name": "web_search", "type": "web"}]},
    ]
    async with aiohttp.ClientSession() as session:
        for body in bodies:
            async with session.post(f"{url}/v1/messages", json={"model": "m", **body}) as response:
                assert response.status == 200
    with pytest.raises(BadRequestError, match="at least one message"):
        await ask(client, [])
