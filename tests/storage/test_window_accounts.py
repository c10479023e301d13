"""What a worker remembers of a window, and what the window keeps of the worker: they never disagree without a loss."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from random import Random  # noqa: TID251 - for loads, not for ids
from secrets import randbits

import pytest

from storage.embedded import EngineUrls
from storage.limits.lease import Lease
from storage.limits.limits import SlidingWindows
from storage.redis_client import RedisClient
from storage.types import LimitKey
from tests.storage.limits.test_limits import Clock, connected

pytestmark = pytest.mark.slow


@pytest.fixture
async def redis(engines: EngineUrls) -> AsyncIterator[RedisClient]:
    async with connected(engines.redis_url) as client:
        yield client


def tokens(limit: int, seconds: int = 60, tenant: int | None = None) -> LimitKey:
    return LimitKey(randbits(48) if tenant is None else tenant, "tokens", limit, seconds)


async def kept(redis: RedisClient, window: LimitKey) -> dict[str, int]:
    """Return what Redis keeps of a window beside its buckets and accounts."""
    values = await redis.hash_values(Lease(window).name, 10_000)
    return {name: int(values.get(name.encode(), b"0")) for name in ("total", "heal")}


async def test_two_limits_of_one_window_are_two_accounts(redis: RedisClient) -> None:
    """As of a tenant's policy and its app's, or before a reload that changes the limit and after it."""
    (windows,), low = [SlidingWindows(redis, lambda: 1)], tokens(100_000)
    high = tokens(200_000, tenant=low.tenant_id)
    for _ in range(30):
        for window in (low, high):
            grant = await windows.take([window], [1000])
            assert grant.allowed
            grant.settle({"tokens": 100})
        await windows.flush()
    await windows.restore()

    assert await kept(redis, low) == {"total": 6000, "heal": 0}


async def test_overlapping_requests_are_remembered_as_redis_counts_them(redis: RedisClient) -> None:
    """A refund finds its bucket although others were charged between it and what it gives back."""
    chance, clock, window = Random(3), Clock(), tokens(1_000_000)  # noqa: S311 - the same load each time
    windows, live = SlidingWindows(redis, lambda: 1, clock), []
    for _ in range(300):
        live.append(await windows.take([window], [2000]))
        clock.now += chance.uniform(0, 0.05)
        if len(live) > 20:
            live.pop(chance.randrange(5)).settle({"tokens": 100})
    for grant in live:
        grant.settle({"tokens": 100})
    await windows.restore()

    assert (await kept(redis, window))["total"] == 30_000
    assert windows._leases[window]._own.total(clock.now) == 30_000


async def test_a_window_that_empties_loses_nothing_of_anybody(redis: RedisClient) -> None:
    async def trial(chance: Random) -> int:
        window, windows = tokens(100_000, 1), SlidingWindows(redis, lambda: 1)
        await windows.take([window], [500])
        for _ in range(40):  # then only requests that use nothing, until that one has left
            grants = []
            for _ in range(2):
                grants.append(await windows.take([window], [1500]))
                await asyncio.sleep(chance.uniform(0.01, 0.03))
            for grant in grants:
                grant.settle({"tokens": 0})
            await windows.flush()
            if (await kept(redis, window))["heal"]:
                return 1
        return 0

    assert sum(await asyncio.gather(*(trial(Random(seed)) for seed in range(8)))) == 0  # noqa: S311 - a load
