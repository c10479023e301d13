"""Looking at limits: what is used, without using any of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from storage.embedded import EngineUrls
from storage.limits.concurrency import Concurrency
from storage.limits.limits import SlidingWindows
from storage.limits.link import Link
from storage.limits.standing import LimitStandings, Standing
from storage.redis_client import RedisClient
from storage.types import LimitKey, Tenant

pytestmark = pytest.mark.slow


@pytest.fixture
async def redis(engines: EngineUrls) -> AsyncIterator[RedisClient]:
    client = RedisClient.connect(engines.redis_url, timeout=2)
    yield client
    await client.close()


async def test_what_is_taken_is_told_however_often_somebody_looks(redis: RedisClient, tenant: Tenant) -> None:
    requests, tokens = LimitKey(tenant.id, "requests", 10, 60), LimitKey(tenant.id, "tokens:app:3", 1000, 3600)
    windows, standings = SlidingWindows(redis, lambda: 1), LimitStandings(redis)
    assert await standings.of([requests, tokens]) == [Standing(0, 0.0), Standing(0, 0.0)]
    for _ in range(4):
        await windows.take([requests, tokens], [1, 120])
    for _ in range(3):
        first, second = await standings.of([requests, tokens])
        assert first is not None
        assert second is not None
        assert (first.used, second.used) == (4, 480)
        assert 55 < first.empty_in <= 62
    assert (await windows.take([requests], [6])).allowed
    assert not (await windows.take([requests], [1])).allowed


async def test_more_than_a_limit_that_has_become_smaller_is_told(redis: RedisClient, tenant: Tenant) -> None:
    await SlidingWindows(redis, lambda: 1).take([LimitKey(tenant.id, "requests", 10, 60)], [8])
    (standing,) = await LimitStandings(redis).of([LimitKey(tenant.id, "requests", 5, 60)])
    assert standing is not None
    assert standing.used == 8


async def test_what_runs_at_once_is_counted_over_all_workers(redis: RedisClient, tenant: Tenant) -> None:
    key = LimitKey(tenant.id, "concurrent", 10, 0)
    held = [await Concurrency(redis, Link(redis), name, lambda: 2).take([key]) for name in ("w1", "w2", "w3")]
    assert not any(places.refused for places in held)
    assert await LimitStandings(redis).of([key]) == [Standing(3, 0.0)]


async def test_a_redis_that_is_away_is_nothing_known() -> None:
    away = RedisClient.connect("redis://127.0.0.1:9/0", timeout=0.2)
    assert (
        await LimitStandings(away).of([LimitKey(1, "requests", 10, 60), LimitKey(1, "concurrent", 3, 0)]) == [None] * 2
    )
    await away.close()
