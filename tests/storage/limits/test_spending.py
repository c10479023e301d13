"""What tenants have spent today, over several workers and a real Valkey."""

from __future__ import annotations

from secrets import randbits

import pytest

from storage.embedded import EngineUrls
from storage.limits.link import Link
from storage.limits.spending import DAY, Spending
from storage.redis_client import RedisClient
from tests.storage.limits.test_limits import Clock, Valkey, connected, valkey

__all__ = ["valkey"]
pytestmark = pytest.mark.slow


def spending(redis: RedisClient, clock: Clock) -> Spending:
    return Spending(redis, Link(redis), clock)


async def test_workers_know_of_each_other_after_a_flush(engines: EngineUrls) -> None:
    async with connected(engines.redis_url) as redis:
        clock, tenant = Clock(), randbits(48)
        one, other = spending(redis, clock), spending(redis, clock)
        assert other.today(tenant) == 0
        one.add(tenant, 250)
        one.add(tenant, 50)
        assert (one.today(tenant), other.today(tenant)) == (300, 0)
        for worker in (one, other, one):
            await worker.flush()
        assert (one.today(tenant), other.today(tenant)) == (300, 300)

        clock.now += DAY
        assert one.today(tenant) == 0


async def test_a_flush_and_an_outage_forget_nothing_that_a_worker_saw(valkey: Valkey) -> None:
    await valkey.answers()
    async with connected(valkey.url) as redis:
        worker = spending(redis, Clock())
        worker.add(7, 100)
        worker.today(7)
        await worker.flush()
        await redis.drop_many(["tenant:{7}:spent:19675"])
        await worker.flush()
        assert worker.today(7) == 100
        valkey.kill()
        worker.add(7, 5)
        await worker.flush()
        assert worker.today(7) == 105


async def test_what_redis_lost_is_brought_back_once_by_everybody_who_handed_it_in(valkey: Valkey) -> None:
    await valkey.answers()
    async with connected(valkey.url) as redis:
        one, other, fresh = (spending(redis, Clock()) for _ in range(3))
        one.add(7, 70)
        other.add(7, 30)
        for worker in (one, other, one):
            await worker.flush()
        await redis.drop_many(["tenant:{7}:spent:19675"])
        one.add(7, 5)
        await one.flush()
        assert one.today(7) == 105
        for worker in (other, one, other, one, other):
            await worker.flush()
        fresh.today(7)
        await fresh.flush()
        assert [worker.today(7) for worker in (one, other, fresh)] == [105, 105, 105]
