"""The demo upstream in Gemini's dialect, behind a real socket, driven by the official SDK."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import orjson
import pytest
from aiohttp.test_utils import TestServer
from google import genai
from google.genai import types

from proxy.demo.gemini_contents import MOUNT
from proxy.demo.upstream import demo_app

WEATHER = types.Tool(function_declarations=[types.FunctionDeclaration(
    name="get_weather",
    parameters=types.Schema(
        type=types.Type.OBJECT,
        properties={"city": types.Schema(type=types.Type.STRING), "days": types.Schema(type=types.Type.INTEGER)},
        required=["city", "days"],
    ),
)])  # fmt: skip
# Of the SDK's own making.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")
HELLO = "My address is [EMAIL_1], write to me."


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with TestServer(demo_app(delay=0), host="127.0.0.1") as server:
        yield f"{server.make_url(MOUNT)}"


@pytest.fixture
async def client(url: str) -> AsyncIterator[genai.client.AsyncClient]:
    client = genai.Client(api_key="demo", http_options={"base_url": url, "api_version": "v1beta"})
    async with client.aio as aio:
        yield aio


async def test_a_question_is_answered_with_a_quote_of_what_arrived(client: genai.client.AsyncClient) -> None:
    answer = await client.models.generate_content(model="any-model", contents=HELLO)

    assert HELLO in (answer.text or "")
    assert answer.usage_metadata is not None
    assert (answer.usage_metadata.prompt_token_count or 0) > 0


async def test_a_stream_says_the_same_in_pieces(client: genai.client.AsyncClient) -> None:
    whole = await client.models.generate_content(model="any-model", contents=HELLO)
    chunks = [c async for c in await client.models.generate_content_stream(model="any-model", contents=HELLO)]

    assert len(chunks) > 3
    assert "".join(chunk.text or "" for chunk in chunks) == whole.text


async def test_without_events_the_stream_is_one_array(url: str) -> None:
    body = {"contents": [{"parts": [{"text": HELLO}]}]}
    async with aiohttp.ClientSession() as session:
        answer = await session.post(f"{url}/v1beta/models/m:streamGenerateContent", json=body)
        documents = orjson.loads(await answer.read())

    texts = [document["candidates"][0]["content"]["parts"][0]["text"] for document in documents]
    assert answer.content_type == "application/json"
    assert HELLO in "".join(texts)


async def test_a_function_is_called_with_arguments_that_fit(client: genai.client.AsyncClient) -> None:
    config = types.GenerateContentConfig(
        tools=[WEATHER], automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True)
    )
    answer = await client.models.generate_content(model="m", contents=HELLO, config=config)

    (call,) = answer.function_calls or []
    assert call.name == "get_weather"
    assert call.args is not None
    assert isinstance(call.args["days"], int)


async def test_tokens_are_counted_and_texts_become_vectors(client: genai.client.AsyncClient) -> None:
    counted = await client.models.count_tokens(model="m", contents=HELLO)
    vectors = await client.models.embed_content(
        model="m", contents=[HELLO, "other"], config={"output_dimensionality": 4}
    )

    first, second = vectors.embeddings or []
    assert (counted.total_tokens or 0) > 0
    assert len(first.values or []) == 4
    assert first.values != second.values


async def test_the_models_are_listed(client: genai.client.AsyncClient) -> None:
    assert "models/demo-small" in [model.name async for model in await client.models.list()]


async def test_a_body_without_contents_is_refused_as_the_provider_would(url: str) -> None:
    async with aiohttp.ClientSession() as session:
        answer = await session.post(f"{url}/v1beta/models/m:generateContent", json={"contents": []})
        error = (await answer.json())["error"]

    assert (answer.status, error["code"], error["status"]) == (400, 400, "INVALID_ARGUMENT")
