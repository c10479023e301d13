"""The demo upstream's Responses API behind a real socket, driven by the official SDK."""

from __future__ import annotations

from collections.abc import AsyncIterator

import orjson
import pytest
from aiohttp.test_utils import TestServer
from openai import AsyncOpenAI, BadRequestError
from openai.types.responses import FunctionToolParam, ResponseInputParam

from proxy.demo.upstream import demo_app

WEATHER: FunctionToolParam = {
    "type": "function",
    "name": "get_weather",
    "strict": False,
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 3}},
        "required": ["city", "days"],
    },
}


@pytest.fixture
async def client() -> AsyncIterator[AsyncOpenAI]:
    async with (
        TestServer(demo_app(delay=0), host="127.0.0.1") as server,
        AsyncOpenAI(base_url=f"{server.make_url('/v1')}", api_key="sk-demo", max_retries=0) as openai,
    ):
        yield openai


async def test_an_input_is_answered_with_a_quote_of_what_arrived(client: AsyncOpenAI) -> None:
    answer = await client.responses.create(model="any/model", input="Write to [EMAIL_1].", instructions="Be brief.")

    assert "demo upstream" in answer.output_text
    assert "Write to [EMAIL_1]." in answer.output_text
    assert (answer.model, answer.status, answer.instructions) == ("any/model", "completed", "Be brief.")
    assert answer.usage
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens > 10


async def test_a_stream_says_the_same_in_small_pieces_and_once_more_at_its_end(client: AsyncOpenAI) -> None:
    whole = await client.responses.create(model="demo-small", input="hi")
    events = [event async for event in await client.responses.create(model="demo-small", input="hi", stream=True)]

    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas) == whole.output_text
    assert len(deltas) > 20
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert [event.type for event in events[:4]] == [
        "response.created", "response.in_progress", "response.output_item.added", "response.content_part.added",
    ]  # fmt: skip
    assert events[-1].type == "response.completed"
    assert events[-1].response.output_text == whole.output_text


async def test_a_tool_is_called_with_arguments_that_fit_its_schema(client: AsyncOpenAI) -> None:
    answer = await client.responses.create(model="demo-tools", input="Paris?", tools=[WEATHER])

    (call,) = answer.output
    assert call.type == "function_call"
    assert orjson.loads(call.arguments) == {"city": "Paris?", "days": 3}


async def test_the_sdks_own_reader_puts_a_streamed_call_together(client: AsyncOpenAI) -> None:
    async with client.responses.stream(model="demo-tools", input="Paris?", tools=[WEATHER]) as stream:
        kinds = [event.type async for event in stream]
        final = await stream.get_final_response()

    assert kinds.count("response.function_call_arguments.delta") > 1
    assert final.output[0].type == "function_call"
    assert orjson.loads(final.output[0].arguments)["city"] == "Paris?"


async def test_a_tools_output_is_answered_in_words(client: AsyncOpenAI) -> None:
    items: ResponseInputParam = [
        {"role": "user", "content": "Weather?"},
        {"type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "Rain in [CITY_1]."},
    ]
    answer = await client.responses.create(model="demo-tools", input=items, tools=[WEATHER])

    assert "Rain in [CITY_1]." in answer.output_text


async def test_an_answer_longer_than_allowed_is_incomplete(client: AsyncOpenAI) -> None:
    answer = await client.responses.create(model="demo-small", input="hi", max_output_tokens=3)

    assert (answer.status, answer.output_text) == ("incomplete", "Hello from the ")
    assert answer.incomplete_details
    assert answer.incomplete_details.reason == "max_output_tokens"


async def test_tokens_are_counted_and_a_conversation_is_made_shorter(client: AsyncOpenAI) -> None:
    count = await client.responses.input_tokens.count(model="demo-small", input="How long is this?")
    short = await client.responses.compact(model="demo-small", input="How long is this?")

    assert count.input_tokens > 4
    assert [item.type for item in short.output][-1] == "compaction"


@pytest.mark.parametrize("body", [{"input": None}, {"input": 5}, {"input": ["hi"]}, {"model": ""}, {"tools": {"a": 1}}])
async def test_a_malformed_body_is_a_bad_request(client: AsyncOpenAI, body: dict[str, object]) -> None:
    with pytest.raises(BadRequestError):
        await client.responses.create(model="demo-small", input="hi", extra_body=body)
