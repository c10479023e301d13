"""One look a second at a Redis that failed, and nobody else's request."""

from __future__ import annotations

import asyncio

import pytest

from detectors.errors import StorageError
from storage.limits.link import RECOVERY_SECONDS, RETRY_SECONDS, Link
from storage.redis_client import RedisClient
from tests.storage.limits.test_limits import Clock


class Moody(RedisClient):
    def __init__(self) -> None:
        self.pings, self.well = 0, False

    async def ping(self) -> None:
        self.pings += 1
        await asyncio.sleep(0)
        if not self.well:
            raise StorageError("away")


def fail(link: Link) -> None:
    with pytest.raises(StorageError), link.call():
        raise StorageError("away")


async def test_a_redis_that_failed_is_looked_at_once_a_second_by_one() -> None:
    redis, clock = Moody(), Clock()
    link = Link(redis, clock)
    assert link.usable()
    fail(link)
    assert not await link.look()
    assert redis.pings == 0

    clock.now += RETRY_SECONDS
    assert await asyncio.gather(*(link.look() for _ in range(5))) == [False] * 5
    assert redis.pings == 1

    redis.well = True
    clock.now += RETRY_SECONDS
    assert await link.look()
    assert link.usable()


def test_what_goes_well_brings_it_up() -> None:
    link = Link(Moody(), Clock())
    fail(link)
    with link.call():
        pass
    assert link.usable()


def test_one_that_is_back_is_trusted_once_all_had_the_time_to_tell_it() -> None:
    clock = Clock()
    link = Link(Moody(), clock)
    assert link.trusted()
    fail(link)
    with link.call():
        pass
    assert not link.trusted()
    clock.now += RECOVERY_SECONDS
    assert link.trusted()
