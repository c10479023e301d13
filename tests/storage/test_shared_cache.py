"""The second level: what one process learned another one knows, within a tenant, and never an error."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from time import monotonic

import pytest

from detectors.batch import StageHits
from detectors.types import Category, Hit, Severity, Stage
from storage.embedded import EngineUrls
from storage.redis_client import RedisClient
from storage.shared_cache import MOST_KEYS, SharedFindingsCache

KEY = b"k" * 32
FOUND = StageHits({"judge": (Hit("PS-T-001", "WORD", Category.JAILBREAK, Severity.HIGH, 0.9, None, (), "A test"),)})


@pytest.fixture
async def redis(engines: EngineUrls) -> AsyncIterator[RedisClient]:
    client = RedisClient.connect(engines.redis_url, timeout=5.0)
    yield client
    await client.close()


def new_key() -> bytes:
    return secrets.token_bytes(48)


async def test_what_one_process_learned_another_one_knows(redis: RedisClient) -> None:
    one, other = SharedFindingsCache(redis, KEY), SharedFindingsCache(redis, KEY)
    known, unknown = new_key(), new_key()

    await one.put_many(7, Stage.JUDGE, {known: FOUND})

    assert await other.get_many(7, [unknown, known, known]) == [None, FOUND, FOUND]


async def test_another_tenant_knows_nothing_of_it_even_by_the_same_key(redis: RedisClient) -> None:
    cache, key = SharedFindingsCache(redis, KEY), new_key()

    await cache.put_many(7, Stage.JUDGE, {key: FOUND})

    assert await cache.get_many(8, [key]) == [None]


async def test_what_was_moved_to_another_tenants_place_is_not_believed(redis: RedisClient) -> None:
    cache, key = SharedFindingsCache(redis, KEY), new_key()
    await cache.put_many(7, Stage.JUDGE, {key: FOUND})
    (raw,) = await redis.get_many([f"tenant:{{7}}:findings:{key.hex()}"])
    assert raw

    await redis.set_many({f"tenant:{{8}}:findings:{key.hex()}": raw}, 60)

    assert await cache.get_many(8, [key]) == [None]


async def test_what_judges_said_is_kept_longer_than_what_models_of_ours_said(redis: RedisClient) -> None:
    cache, left = SharedFindingsCache(redis, KEY), []
    for stage in (Stage.REFINER, Stage.JUDGE):
        key = new_key()
        await cache.put_many(7, stage, {key: FOUND})
        left.append(await redis._redis.ttl(f"tenant:{{7}}:findings:{key.hex()}"))

    assert 0 < left[0] < left[1] / 10


async def test_a_question_about_very_many_texts_is_cut(redis: RedisClient) -> None:
    cache, keys = SharedFindingsCache(redis, KEY), [new_key() for _ in range(MOST_KEYS + 1)]
    await cache.put_many(7, Stage.JUDGE, dict.fromkeys((keys[0], keys[-1]), FOUND))

    known = await cache.get_many(7, keys)

    assert (len(known), known[0], known[-1]) == (len(keys), FOUND, None)


async def test_no_more_is_kept_than_is_ever_asked_for(redis: RedisClient) -> None:
    cache, keys = SharedFindingsCache(redis, KEY), [new_key() for _ in range(MOST_KEYS + 1)]
    await cache.put_many(7, Stage.REFINER, dict.fromkeys(keys, FOUND))

    assert await cache.get_many(7, [keys[-2], keys[-1]]) == [FOUND, None]


async def test_of_all_processes_one_asks_until_it_lets_others(redis: RedisClient) -> None:
    one, other, key = SharedFindingsCache(redis, KEY), SharedFindingsCache(redis, KEY), new_key()

    assert await one.claim(7, [key], 5) == [True]
    assert await other.claim(7, [key, new_key()], 5) == [False, True]
    assert await other.claim(8, [key], 5) == [True]
    await one.release(7, [key])
    assert await other.claim(7, [key], 0.001) == [True]
    await asyncio.sleep(0.005)
    assert await one.claim(7, [key], 5) == [True]


async def test_without_redis_everybody_asks() -> None:
    cache = SharedFindingsCache(RedisClient.connect("redis://127.0.0.1:1/0"), KEY)

    assert await cache.claim(7, [new_key(), new_key()], 5) == [True, True]
    await cache.release(7, [new_key()])


async def test_redis_away_is_a_miss() -> None:
    cache = SharedFindingsCache(RedisClient.connect("redis://127.0.0.1:1/0"), KEY)

    await cache.put_many(7, Stage.JUDGE, {new_key(): FOUND})

    assert await cache.get_many(7, [new_key()]) == [None]


async def test_redis_that_hangs_is_left_alone_after_three_failures() -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        client = RedisClient.connect(f"redis://127.0.0.1:{port}/0", timeout=0.01)
        cache = SharedFindingsCache(client, KEY)
        started = monotonic()
        answers = [await cache.get_many(7, [new_key()]) for _ in range(200)]
        await client.close()

    assert answers == [[None]] * 200
    assert monotonic() - started < 1.0
