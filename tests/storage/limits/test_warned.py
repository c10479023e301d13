"""One warning for each window's length, whoever notices first."""

from __future__ import annotations

from secrets import randbits

import pytest

from storage.embedded import EngineUrls
from storage.limits.link import Link
from storage.limits.warned import Warned
from tests.storage.limits.test_limits import Clock, Valkey, connected, valkey

__all__ = ["valkey"]
pytestmark = pytest.mark.slow


async def test_one_of_several_workers_tells_once(engines: EngineUrls) -> None:
    async with connected(engines.redis_url) as redis:
        clock, tenant = Clock(), randbits(48)
        team = [Warned(redis, Link(redis), clock) for _ in range(3)]

        assert [await one.claim(tenant, "tokens", 60) for one in (*team, *team)] == [True] + [False] * 5
        assert await team[2].claim(tenant, "tokens", 3600)
        assert await team[1].claim(tenant, "cost", 60)


async def test_without_redis_each_worker_tells_once(valkey: Valkey) -> None:
    await valkey.answers()
    async with connected(valkey.url) as redis:
        clock = Clock()
        warned = Warned(redis, Link(redis), clock)
        valkey.kill()
        assert [await warned.claim(1, "tokens", 60) for _ in range(3)] == [True, False, False]
        clock.now += 60
        assert await warned.claim(1, "tokens", 60)
