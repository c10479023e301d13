"""Exchanges at once over several workers, against a real Valkey."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from secrets import randbits

import pytest

from storage.embedded import EngineUrls
from storage.limits.concurrency import TICK_SECONDS, Concurrency, Places
from storage.limits.link import Link
from storage.redis_client import RedisClient, Script
from storage.types import LimitKey
from tests.storage.limits.test_limits import PATIENCE, CountingRedis, Valkey, connected, valkey

__all__ = ["valkey"]
pytestmark = pytest.mark.slow


def key(limit: int) -> LimitKey:
    return LimitKey(randbits(48), "concurrent", limit, 0)


def team(redis: RedisClient, number: int) -> list[Concurrency]:
    return [Concurrency(redis, Link(redis), f"i:{worker}", lambda: number) for worker in range(number)]


async def keep_forever(worker: Concurrency) -> None:
    while True:
        await asyncio.sleep(TICK_SECONDS)
        await worker.keep()


async def taken(worker: Concurrency, limit: LimitKey, tries: int) -> list[Places]:
    places = await asyncio.gather(*(worker.take([limit]) for _ in range(tries)))
    return [one for one in places if one.refused is None]


@pytest.fixture
async def redis(engines: EngineUrls) -> AsyncIterator[RedisClient]:
    async with connected(engines.redis_url) as client:
        yield client


async def test_workers_that_take_three_times_the_limit_hold_it_and_no_more(redis: RedisClient) -> None:
    workers, limit = team(redis, 4), key(100)

    held = await asyncio.gather(*(taken(worker, limit, 75) for worker in workers))

    assert 95 <= sum(map(len, held)) <= 100


async def test_under_steady_load_there_are_never_more_and_nearly_as_many(redis: RedisClient) -> None:
    workers, limit = team(redis, 4), key(60)
    inside, most, least = 0, 0, []

    async def exchange(worker: Concurrency) -> None:
        nonlocal inside, most
        for _ in range(15):
            places = await worker.take([limit])
            if places.refused is None:
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(0.01)
                inside -= 1
                places.release()
            else:
                least.append(inside)
                await asyncio.sleep(0.005)

    async with asyncio.TaskGroup() as group:
        keeping = [asyncio.ensure_future(keep_forever(worker)) for worker in workers]
        tasks = [group.create_task(exchange(workers[number % 4])) for number in range(180)]
        await asyncio.wait(tasks)
        for task in keeping:
            task.cancel()

    assert most <= 60
    assert most >= 57
    assert least


async def test_what_is_released_once_is_free_once(redis: RedisClient) -> None:
    (worker,), limit = team(redis, 1), key(2)
    first, second = await taken(worker, limit, 2)
    for _ in range(3):
        first.release()

    assert len(await taken(worker, limit, 3)) == 1
    second.release()


async def test_idle_slots_go_to_whoever_wants_them(redis: RedisClient) -> None:
    (busy, other), limit = team(redis, 2), key(50)
    for places in await taken(busy, limit, 50):
        places.release()
    for _ in range(2):
        await busy.keep()

    assert len(await taken(other, limit, 60)) == 50


async def test_what_a_dead_worker_held_is_free_after_its_last_heartbeat(
    redis: RedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.limits.concurrency.HOLD_SECONDS", 0.05)
    (dead, other), limit = team(redis, 2), key(10)
    assert len(await taken(dead, limit, 10)) == 10
    assert not await taken(other, limit, 1)

    await asyncio.sleep(0.07)

    assert len(await taken(other, limit, 20)) == 10


async def test_heartbeats_keep_what_is_held(redis: RedisClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.limits.concurrency.HOLD_SECONDS", 0.2)
    monkeypatch.setattr("storage.limits.concurrency.RENEW_SECONDS", 0.0)
    (holder, other), limit = team(redis, 2), key(10)
    await taken(holder, limit, 10)

    for _ in range(6):
        await asyncio.sleep(0.05)
        await holder.keep()

    assert not await taken(other, limit, 1)


async def test_a_slot_of_each_limit_or_of_none(redis: RedisClient) -> None:
    (worker,), tenant = team(redis, 1), randbits(48)
    wide, narrow = LimitKey(tenant, "concurrent", 9, 0), LimitKey(tenant, "concurrent:key:1", 1, 0)

    places = [await worker.take([wide, narrow]) for _ in range(3)]

    assert [one.refused for one in places] == [None, narrow, narrow]
    assert len(await taken(worker, wide, 20)) == 8


async def test_places_that_are_nearly_used_are_known_over_all_workers(redis: RedisClient) -> None:
    (one, other), limit = team(redis, 2), LimitKey(randbits(48), "concurrent", 10, 0)
    held = await taken(one, limit, 6)
    first = await other.take([limit])
    assert first.nearly_used() == []
    assert held
    seen = [(await other.take([limit])).nearly_used() for _ in range(2)]
    assert seen[-1] in ([(limit, 1)], [(limit, 2)])  # what the first holds beyond what it uses counts as used


async def test_without_redis_each_worker_lives_on_its_share(valkey: Valkey) -> None:
    await valkey.answers()
    async with connected(valkey.url) as redis:
        workers, limit = team(redis, 4), key(100)
        valkey.kill()

        assert [len(await taken(worker, limit, 60)) for worker in workers] == [25] * 4


async def test_a_redis_that_forgot_is_told_what_runs(redis: RedisClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.limits.concurrency.RENEW_SECONDS", 0.0)
    (worker, other), limit = team(redis, 2), key(10)
    await taken(worker, limit, 8)
    await redis.drop_many([f"tenant:{{{limit.tenant_id}}}:slots:concurrent"])
    await worker.keep()

    assert len(await taken(other, limit, 10)) == 2


@pytest.mark.parametrize("reply", [None, [b"1"], [10**9, 0], [-1, 0], [1, -5]])
async def test_replies_that_are_none_leave_the_worker_on_its_share(engines: EngineUrls, reply: object) -> None:
    class Oracle(RedisClient):
        async def run_script(self, script: Script, keys: Sequence[str], args: Sequence[str | int | float]) -> object:
            return reply

    async with connected(engines.redis_url) as plain:
        (worker,) = team(Oracle(plain._redis, PATIENCE), 1)
        assert len(await taken(worker, key(10), 20)) == 10


async def test_a_steady_load_hardly_asks(engines: EngineUrls) -> None:
    async with connected(engines.redis_url) as plain:
        redis = CountingRedis(plain._redis, PATIENCE)
        (worker,), limit = team(redis, 1), key(1000)
        for number in range(1000):
            places = await taken(worker, limit, 4)
            for one in places:
                one.release()
            if number % 100 == 0:
                await worker.keep()

    assert redis.calls < 60


class Late(RedisClient):
    """The real client, whose answers come late."""

    async def run_script(self, script: Script, keys: Sequence[str], args: Sequence[str | int | float]) -> object:
        reply = await super().run_script(script, keys, args)
        await asyncio.sleep(0.01)
        return reply


async def test_what_is_given_back_is_not_used_while_the_call_is_on_its_way(engines: EngineUrls) -> None:
    async with connected(engines.redis_url) as plain:
        (giver, other), limit = team(Late(plain._redis, PATIENCE), 2), key(40)
        held = await taken(giver, limit, 40)
        for places in held[10:]:
            places.release()
        await giver.keep()
        _, mine, theirs = await asyncio.gather(giver.keep(), taken(giver, limit, 40), taken(other, limit, 40))

        assert 38 <= 10 + len(mine) + len(theirs) <= 40


async def test_all_who_wait_for_one_refusal_share_it(engines: EngineUrls) -> None:
    async with connected(engines.redis_url) as plain:
        redis = CountingRedis(plain._redis, PATIENCE)
        (worker,), limit = team(redis, 1), key(5)
        assert len(await taken(worker, limit, 200)) == 5
        assert redis.calls <= 4


async def test_a_worker_that_ends_holds_nothing(redis: RedisClient) -> None:
    (leaver, other), limit = team(redis, 2), key(10)
    await taken(leaver, limit, 10)
    await leaver.leave()

    assert len(await taken(other, limit, 20)) == 10
