from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from time import monotonic
from uuid import uuid4

import pytest

from detectors.errors import StorageError
from storage.embedded import EngineUrls
from storage.redis_client import RedisClient, Script


def script(source: str) -> Script:
    return Script(source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest())


@pytest.fixture
async def redis(engines: EngineUrls) -> AsyncIterator[RedisClient]:
    client = RedisClient.connect(engines.redis_url, timeout=5.0)
    yield client
    await client.close()


@asynccontextmanager
async def server_that_says(answer: bytes) -> AsyncIterator[str]:
    """A server that gives `answer` to whatever it reads, and nothing when `answer` is empty."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"redis://:hunter2@127.0.0.1:{server.sockets[0].getsockname()[1]}/0"


async def test_a_script_the_server_has_never_seen_runs_and_then_runs_by_its_hash(redis: RedisClient) -> None:
    fresh = script(f"return {{KEYS[1], tonumber(ARGV[1]) + 1}} -- {uuid4()}")

    first = await redis.run_script(fresh, ["tenant:{1}:test"], [41])
    second = await redis.run_script(Script("not lua at all", fresh.sha), ["tenant:{1}:test"], [1])

    assert first == [b"tenant:{1}:test", 42]
    assert second == [b"tenant:{1}:test", 2]


async def test_a_script_comes_with_the_hash_the_server_will_compute(redis: RedisClient) -> None:
    window = Script.load("window")

    assert window == script(window.source)
    await redis.ping()


async def test_a_failing_script_is_a_storage_error(redis: RedisClient) -> None:
    with pytest.raises(StorageError, match="ResponseError"):
        await redis.run_script(script("return redis.call('NOSUCH')"), [], [])


async def test_the_client_still_works_after_a_call_was_cancelled(redis: RedisClient) -> None:
    slow = script("local n = 0 for i = 1, 3000000 do n = n + i end return 'slow'")
    async with asyncio.TaskGroup() as tasks:
        call = tasks.create_task(redis.run_script(slow, [], []))
        await asyncio.sleep(0.002)
        call.cancel()

    assert await redis.run_script(script("return 7"), [], []) == 7


async def test_a_server_that_is_not_there_is_a_storage_error() -> None:
    async with server_that_says(b"") as url:
        pass
    client = RedisClient.connect(url)

    with pytest.raises(StorageError) as caught:
        await client.ping()

    assert "hunter2" not in str(caught.value)
    await client.close()


async def test_a_silent_server_costs_a_tenth_of_a_second() -> None:
    async with server_that_says(b"") as url:
        client = RedisClient.connect(url)
        began = monotonic()
        with pytest.raises(StorageError, match="no answer in 100 ms"):
            await client.ping()
        await client.close()

    assert 0.09 < monotonic() - began < 1.0


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"+OK\r\n+OK\r\n",
        b":1\r\n",
        b"*-1\r\n",
        b"$-1\r\n",
        b"%1\r\n:1\r\n",
        b"\xff",
    ],
)
async def test_a_server_that_is_not_redis_raises_nothing_but_storage_errors(answer: bytes) -> None:
    async with server_that_says(answer) as url:
        client = RedisClient.connect(url)
        for _ in range(3):
            with suppress(StorageError):
                await client.run_script(script("return 1"), [], [])
        await client.close()


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "redis://:hunter2#more@127.0.0.1:port", "nonsense"])
def test_a_url_that_cannot_be_read_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(StorageError, match="REDIS_URL cannot be read") as caught:
        RedisClient.connect(url)

    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
