"""The demo upstream behind a real socket, driven by the official SDK."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import orjson
import pytest
from aiohttp.test_utils import TestServer
from openai import AsyncOpenAI, BadRequestError, NotFoundError
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

from proxy.demo.upstream import demo_app

WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Tell the weather.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
                "days": {"type": "integer", "minimum": 3},
            },
            "required": ["city", "unit", "days"],
        },
    },
}
HELLO: list[ChatCompletionMessageParam] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "My address is [EMAIL_1], write to me."},
]


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with TestServer(demo_app(delay=0), host="127.0.0.1") as server:
        yield f"{server.make_url('/v1')}"


@pytest.fixture
async def client(url: str) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=url, api_key="sk-demo", max_retries=0) as openai:
        yield openai


async def test_a_chat_is_answered_with_a_quote_of_what_arrived(client: AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(model="anything/at-all", messages=HELLO)

    text = answer.choices[0].message.content or ""
    assert "demo upstream" in text
    assert "My address is [EMAIL_1], write to me." in text
    assert (answer.model, answer.object, answer.choices[0].finish_reason) == (
        "anything/at-all", "chat.completion", "stop",
    )  # fmt: skip
    assert answer.id.startswith("chatcmpl-")
    assert answer.created > 1_700_000_000
    assert answer.system_fingerprint
    assert answer._request_id


async def test_the_same_request_gets_the_same_answer(client: AsyncOpenAI) -> None:
    texts = [
        (await client.chat.completions.create(model="demo-small", messages=HELLO)).choices[0].message.content
        for _ in range(2)
    ]

    assert texts[0] == texts[1]


async def test_usage_counts_the_prompt_and_every_choice(client: AsyncOpenAI) -> None:
    one = await client.chat.completions.create(model="demo-small", messages=HELLO)
    three = await client.chat.completions.create(model="demo-small", messages=HELLO, n=3)

    assert one.usage
    assert three.usage
    assert [choice.index for choice in three.choices] == [0, 1, 2]
    assert three.usage.prompt_tokens == one.usage.prompt_tokens > 10
    assert three.usage.completion_tokens == 3 * one.usage.completion_tokens
    assert three.usage.total_tokens == three.usage.prompt_tokens + three.usage.completion_tokens


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
async def test_an_answer_longer_than_allowed_is_cut(client: AsyncOpenAI, name: str) -> None:
    answer = await client.chat.completions.create(model="demo-small", messages=HELLO, extra_body={name: 3})

    assert answer.choices[0].finish_reason == "length"
    assert answer.choices[0].message.content == "Hello from the "
    assert answer.usage
    assert answer.usage.completion_tokens == 3


async def test_a_stream_says_the_same_in_small_pieces(client: AsyncOpenAI) -> None:
    whole = await client.chat.completions.create(model="demo-small", messages=HELLO)
    stream = await client.chat.completions.create(
        model="demo-small", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]

    texts = [chunk.choices[0].delta.content or "" for chunk in chunks[:-1]]
    assert "".join(texts) == whole.choices[0].message.content
    assert len(texts) > 20
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks[-3:-1]] == [None, "stop"]
    assert len({chunk.id for chunk in chunks}) == 1
    assert (chunks[-1].choices, chunks[-1].usage) == ([], whole.usage)
    assert all(chunk.usage is None for chunk in chunks[:-1])


async def test_a_stream_carries_every_choice_and_no_usage_unless_asked(client: AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(model="demo-small", messages=HELLO, stream=True, n=2)
    texts, finished = {0: "", 1: ""}, []
    async for chunk in stream:
        (choice,) = chunk.choices
        texts[choice.index] += choice.delta.content or ""
        finished += [choice.finish_reason] if choice.finish_reason else []

    assert texts[0] == texts[1] != ""
    assert finished == ["stop", "stop"]


async def test_a_stream_ends_with_its_end_marker(url: str) -> None:
    body = {"model": "demo-small", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    async with aiohttp.ClientSession() as session, session.post(f"{url}/chat/completions", json=body) as answer:
        raw = await answer.read()

    assert answer.content_type == "text/event-stream"
    assert raw.endswith(b"data: [DONE]\n\n")
    assert all(line.startswith(b"data: ") for line in raw.split(b"\n\n") if line)


async def test_a_tool_is_called_with_arguments_that_fit_its_schema(client: AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(model="demo-tools", messages=HELLO, tools=[WEATHER])

    (choice,) = answer.choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    assert choice.message.tool_calls
    (call,) = choice.message.tool_calls
    assert call.type == "function"
    assert call.function.name == "get_weather"
    assert orjson.loads(call.function.arguments) == {
        "city": "My address is [EMAIL_1], write to me.", "unit": "celsius", "days": 3,
    }  # fmt: skip


async def test_a_streamed_tool_call_comes_in_fragments(client: AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(model="demo-tools", messages=HELLO, tools=[WEATHER], stream=True, n=2)
    fragments: dict[int, list[str]] = {0: [], 1: []}
    ids, finished = [], []
    async for chunk in stream:
        (choice,) = chunk.choices
        finished += [choice.finish_reason] if choice.finish_reason else []
        for call in choice.delta.tool_calls or ():
            assert call.function
            ids += [call.id] if call.id else []
            fragments[choice.index].append(call.function.arguments or "")

    assert all(orjson.loads("".join(parts))["days"] == 3 for parts in fragments.values())
    assert all(len(parts) > 3 for parts in fragments.values())
    assert len(set(ids)) == len(ids) == 2
    assert finished == ["tool_calls", "tool_calls"]


async def test_a_tool_result_is_answered_in_words(client: AsyncOpenAI) -> None:
    conversation: list[ChatCompletionMessageParam] = [
        *HELLO,
        {
            "role": "assistant",
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "Rain in [CITY_1]."},
    ]
    answer = await client.chat.completions.create(model="demo-tools", messages=conversation, tools=[WEATHER])

    assert answer.choices[0].finish_reason == "stop"
    assert "Rain in [CITY_1]." in (answer.choices[0].message.content or "")


async def test_tool_choice_is_obeyed(client: AsyncOpenAI) -> None:
    other: ChatCompletionToolParam = {"type": "function", "function": {"name": "now"}}
    named = await client.chat.completions.create(
        model="demo-tools",
        messages=HELLO,
        tools=[WEATHER, other],
        tool_choice={"type": "function", "function": {"name": "now"}},
    )
    none = await client.chat.completions.create(model="demo-tools", messages=HELLO, tools=[WEATHER], tool_choice="none")

    assert named.choices[0].message.tool_calls
    assert named.choices[0].message.tool_calls[0].type == "function"
    assert named.choices[0].message.tool_calls[0].function.name == "now"
    assert named.choices[0].message.tool_calls[0].function.arguments == "{}"
    assert none.choices[0].message.tool_calls is None


async def test_models_are_listed_and_any_name_is_served(client: AsyncOpenAI) -> None:
    listed = [model.id async for model in client.models.list()]
    shown = await client.models.retrieve("openai/gpt-anything")

    assert listed == ["demo-small", "demo-large", "demo-tools"]
    assert (shown.id, shown.object, shown.owned_by) == ("openai/gpt-anything", "model", "demo")


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"model": None}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": ["hi"]}, "messages[0]"),
        ({"messages": "hi"}, "messages"),
        ({"n": 0}, "n"),
        ({"n": 1000}, "n"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0]"),
        ({"tools": {}}, "tools"),
        ({"stream_options": []}, "stream_options"),
    ],
)
async def test_a_malformed_body_is_a_bad_request_that_names_its_place(
    client: AsyncOpenAI, change: dict[str, object], param: str
) -> None:
    with pytest.raises(BadRequestError) as caught:
        await client.chat.completions.create(model="demo-small", messages=HELLO, extra_body=change)

    assert (caught.value.param, caught.value.type) == (param, "invalid_request_error")
    assert caught.value.request_id


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'"text"', b"\xff"])
async def test_a_body_that_is_no_json_object_is_a_bad_request(url: str, raw: bytes) -> None:
    async with aiohttp.ClientSession() as session, session.post(f"{url}/chat/completions", data=raw) as answer:
        error = (await answer.json())["error"]

    assert answer.status == 400
    assert "JSON body" in error["message"]


async def test_an_unknown_path_is_not_found_in_the_providers_shape(client: AsyncOpenAI, url: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        await client.post("/nothing", cast_to=object, body={})
    async with aiohttp.ClientSession() as session, session.get(f"{url}/chat/completions") as answer:
        error = (await answer.json())["error"]

    assert "Invalid URL (POST /v1/nothing)" in caught.value.message
    assert (answer.status, error["type"]) == (405, "invalid_request_error")
