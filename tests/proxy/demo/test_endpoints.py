"""The demo upstream's other endpoints, driven by the official SDK."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import TestServer
from openai import AsyncOpenAI, BadRequestError

from proxy.demo.upstream import demo_app


@pytest.fixture
async def client() -> AsyncIterator[AsyncOpenAI]:
    async with (
        TestServer(demo_app(delay=0), host="127.0.0.1") as server,
        AsyncOpenAI(base_url=f"{server.make_url('/v1')}", api_key="sk-demo", max_retries=0) as openai,
    ):
        yield openai


async def test_completions_quote_each_prompt_whole_and_streamed(client: AsyncOpenAI) -> None:
    answer = await client.completions.create(model="demo-small", prompt=["one", "two"])
    stream = await client.completions.create(model="demo-small", prompt="three", stream=True)
    streamed = "".join([chunk.choices[0].text async for chunk in stream])

    assert [("one" in c.text, "two" in c.text) for c in answer.choices] == [(True, False), (False, True)]
    assert "three" in streamed


async def test_the_same_text_has_the_same_embedding_in_either_format(client: AsyncOpenAI) -> None:
    coded = await client.embeddings.create(model="demo-small", input=["a", "b", "a"])
    plain = await client.embeddings.create(model="demo-small", input="a", encoding_format="float")
    first, second, third = (entry.embedding for entry in coded.data)

    assert first == third != second
    assert plain.data[0].embedding == pytest.approx(first, abs=1e-6)


async def test_nothing_is_flagged_and_every_image_is_one_pixel(client: AsyncOpenAI) -> None:
    moderation = await client.moderations.create(input=["a", "b"])
    images = await client.images.generate(model="demo-small", prompt="a cat", n=2)
    edited = await client.images.edit(model="demo-small", image=b"\x89PNG\r\n\x1a\n", prompt="a dog")

    assert [result.flagged for result in moderation.results] == [False, False]
    assert [image.revised_prompt for image in images.data or ()] == ["One pixel for: a cat"] * 2
    assert [image.revised_prompt for image in edited.data or ()] == ["One pixel for: a dog"]


async def test_speech_is_a_sound_file(client: AsyncOpenAI) -> None:
    speech = await client.audio.speech.create(model="demo-small", voice="alloy", input="hello")

    assert speech.content.startswith(b"RIFF")


async def test_a_transcript_comes_in_every_format(client: AsyncOpenAI) -> None:
    file = ("call.wav", b"RIFF\x00\x01")
    plain = await client.audio.transcriptions.create(model="m", file=file)
    subtitles = await client.audio.transcriptions.create(model="m", file=file, response_format="srt")
    verbose = await client.audio.transcriptions.create(model="m", file=file, response_format="verbose_json")
    stream = await client.audio.transcriptions.create(model="m", file=file, stream=True)
    events = [event async for event in stream]

    assert "call.wav, 6 bytes" in plain.text
    assert subtitles.startswith("1\n00:00:00,000")
    assert [segment.text for segment in verbose.segments or ()] == [verbose.text]
    assert events[-1].type == "transcript.text.done"


async def test_what_is_no_request_is_a_bad_request(client: AsyncOpenAI) -> None:
    for path in ("/completions", "/audio/transcriptions"):
        with pytest.raises(BadRequestError):
            await client.post(path, cast_to=object, body=[])
