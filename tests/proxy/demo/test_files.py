"""The demo upstream's files and uploads behind a real socket, driven by the official SDK."""

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


async def test_a_file_is_kept_shown_and_deleted(client: AsyncOpenAI) -> None:
    file = await client.files.create(file=("a.txt", b"hello"), purpose="assistants")

    assert (await client.files.retrieve(file.id)).filename == "a.txt"
    assert (await client.files.content(file.id)).content == b"hello"
    assert (await client.files.delete(file.id)).deleted
    with pytest.raises(NotFoundError):
        await client.files.content(file.id)


async def test_an_upload_becomes_a_file_if_it_is_as_long_as_was_said(client: AsyncOpenAI) -> None:
    done = await client.uploads.upload_file_chunked(
        file=b"hello", filename="a.txt", bytes=5, mime_type="text/plain", purpose="assistants"
    )
    assert done.file is not None
    assert (await client.files.content(done.file.id)).content == b"hello"

    short = await client.uploads.create(bytes=9, filename="a.txt", mime_type="text/plain", purpose="assistants")
    part = await client.uploads.parts.create(short.id, data=b"hello")
    with pytest.raises(BadRequestError):
        await client.uploads.complete(short.id, part_ids=[part.id])
    assert (await client.uploads.cancel(short.id)).status == "cancelled"
