"""How many workers there are, by their heartbeats in a real Valkey."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from storage.limits.fleet import KEY, Fleet
from storage.limits.link import Link
from storage.redis_client import RedisClient, Script
from tests.storage.limits.test_limits import PATIENCE, Valkey, connected, valkey

__all__ = ["valkey"]
pytestmark = pytest.mark.slow


def fleet(redis: RedisClient, name: str, own: int = 1) -> Fleet:
    return Fleet(redis, Link(redis), name, lambda: own)


async def test_workers_of_all_instances_are_counted_until_they_leave_or_fall_silent(
    valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    await valkey.answers()
    async with connected(valkey.url) as redis:
        workers = [fleet(redis, f"{instance}:{number}", own=2) for instance in "ab" for number in range(2)]
        assert [worker.count() for worker in workers] == [2] * 4
        for worker in (*workers, *workers):
            assert not await worker.beat()
        assert [worker.count() for worker in workers] == [4] * 4

        await workers[3].leave()
        await workers[0].beat()
        assert workers[0].count() == 3

        monkeypatch.setattr("storage.limits.fleet.ALIVE_SECONDS", 0.0)
        await workers[0].beat()
        assert workers[0].count() == 2  # those of its own instance


async def test_a_worker_notices_that_redis_has_forgotten_everything(valkey: Valkey) -> None:
    await valkey.answers()
    async with connected(valkey.url) as redis:
        worker = fleet(redis, "a:0")
        assert [await worker.beat() for _ in range(2)] == [False, False]
        await redis.drop_many([KEY])
        assert [await worker.beat() for _ in range(2)] == [True, False]


async def test_while_redis_is_away_the_last_count_holds(valkey: Valkey) -> None:
    await valkey.answers()
    async with connected(valkey.url) as redis:
        workers = [fleet(redis, str(number)) for number in range(3)]
        for worker in (*workers, *workers):
            await worker.beat()
        valkey.kill()
        assert [await worker.beat() for worker in workers] == [False] * 3
        assert [worker.count() for worker in workers] == [3] * 3
        await workers[0].leave()


@pytest.mark.parametrize("lie", [None, [b"1", 1], [-4, 1], [10**9, 1], b"OK"])
async def test_a_count_that_cannot_be_is_none(valkey: Valkey, lie: object) -> None:
    class Liar(RedisClient):
        async def run_script(self, script: Script, keys: Sequence[str], args: Sequence[str | int | float]) -> object:
            return lie

    async with connected(valkey.url) as plain:
        worker = fleet(Liar(plain._redis, PATIENCE), "a:0", own=2)
        assert not await worker.beat()
        assert worker.count() == 2
