"""Scores that decay, in a real Valkey and without one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from secrets import randbits

import pytest

from storage.embedded import EngineUrls
from storage.limits.link import Link
from storage.limits.risk import LARGEST_TABLE, RiskScores
from storage.redis_client import RedisClient, Script
from tests.storage.limits.test_limits import PATIENCE, Clock, Valkey, connected, valkey

__all__ = ["valkey"]
pytestmark = pytest.mark.slow
HALF_LIFE = 3600.0


def scores(redis: RedisClient, clock: Clock | None = None) -> RiskScores:
    return RiskScores(redis, Link(redis), 10.0, clock or Clock())


async def test_workers_add_to_one_score_and_no_score_grows_without_end(engines: EngineUrls) -> None:
    async with connected(engines.redis_url) as redis:
        tenant, clock = randbits(48), Clock()
        one, other = scores(redis, clock), scores(redis, clock)
        assert await one.read(tenant, ["session:a"], HALF_LIFE) == (0.0,)
        await one.add(tenant, ["session:a", "all"], HALF_LIFE, 1.0)
        assert await other.add(tenant, ["session:a"], HALF_LIFE, 0.5) == pytest.approx((1.5,), abs=0.01)
        assert await other.read(tenant, ["session:a", "all", "session:b"], HALF_LIFE) == pytest.approx(
            (1.5, 1.0, 0.0), abs=0.01
        )
        for _ in range(20):
            await one.add(tenant, ["all"], HALF_LIFE, 1.0)
        assert await one.read(tenant, ["all"], HALF_LIFE) == pytest.approx((10.0,), abs=0.01)
        assert await one.read(tenant + 1, ["all"], HALF_LIFE) == (0.0,)


async def test_what_many_add_at_once_is_told_once(engines: EngineUrls) -> None:
    async with connected(engines.redis_url) as redis:
        tenant, here = randbits(48), scores(redis)
        await asyncio.gather(*(here.add(tenant, ["all"], HALF_LIFE, 0.5) for _ in range(10)))
        await asyncio.gather(
            here.add(tenant, ["app"], HALF_LIFE, 1.0), *(here.read(tenant, ["app"], HALF_LIFE) for _ in range(9))
        )
        assert await scores(redis).read(tenant, ["all", "app"], HALF_LIFE) == pytest.approx((5.0, 1.0), abs=0.01)


async def test_a_score_falls_to_half_within_a_half_life(valkey: Valkey) -> None:
    await valkey.answers()
    async with connected(valkey.url) as redis:
        clock = Clock()
        here = scores(redis, clock)
        valkey.kill()
        await here.add(1, ["all"], HALF_LIFE, 2.0)
        clock.now += HALF_LIFE
        assert await here.read(1, ["all"], HALF_LIFE) == pytest.approx((1.0,))
        clock.now += 3 * HALF_LIFE
        assert await here.read(1, ["all"], HALF_LIFE) == pytest.approx((0.125,))


async def test_what_was_added_without_redis_is_told_once_it_is_back(
    valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.limits.link.RETRY_SECONDS", 0.0)
    await valkey.answers()
    async with connected(valkey.url) as redis:
        clock, link = Clock(), Link(redis)
        here = RiskScores(redis, link, 10.0, clock)
        valkey.kill()
        await here.add(1, ["all"], HALF_LIFE, 2.0)
        assert not link.usable()
        valkey.start()
        await valkey.answers()
        assert await link.look()
        await here.read(1, ["all"], HALF_LIFE)
        assert await scores(redis).read(1, ["all"], HALF_LIFE) == pytest.approx((2.0,), abs=0.01)


async def test_a_flush_does_not_forgive_what_a_worker_saw(valkey: Valkey) -> None:
    await valkey.answers()
    async with connected(valkey.url) as redis:
        clock = Clock()
        here = scores(redis, clock)
        await here.add(1, ["all"], HALF_LIFE, 2.0)
        await redis.drop_many(["tenant:{1}:risk:all"])
        clock.now += 5
        assert await here.read(1, ["all"], HALF_LIFE) == pytest.approx((2.0,), abs=0.01)


@pytest.mark.parametrize("lie", [None, [b"9"], [10**9], [-1], [1, 2]])
async def test_a_redis_that_lies_is_not_believed(engines: EngineUrls, lie: object) -> None:
    class Liar(RedisClient):
        async def run_script(self, script: Script, keys: Sequence[str], args: Sequence[str | int | float]) -> object:
            return lie

    async with connected(engines.redis_url) as plain:
        assert await scores(Liar(plain._redis, PATIENCE)).read(1, ["all"], HALF_LIFE) == (0.0,)


async def test_a_worker_remembers_so_many_scores(valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.limits.risk.LARGEST_TABLE", 10)
    async with connected(valkey.url) as redis:
        here = scores(redis)
        valkey.kill()
        for number in range(50):
            await here.add(1, [f"session:{number}"], HALF_LIFE, 1.0)
        assert len(here._known) == 10
    assert LARGEST_TABLE > 1000
