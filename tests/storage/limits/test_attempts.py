"""Failed attempts, remembered once each."""

from __future__ import annotations

from secrets import randbits

import pytest

from storage.embedded import EngineUrls
from storage.limits.attempts import Attempts
from storage.limits.link import Link
from tests.storage.limits.test_limits import Valkey, connected, valkey

__all__ = ["valkey"]
pytestmark = pytest.mark.slow


async def test_what_an_attempt_was_charged_is_taken_over_once_and_by_its_tenant(engines: EngineUrls) -> None:
    async with connected(engines.redis_url) as redis:
        attempts, tenant = Attempts(redis, Link(redis)), randbits(48)
        await attempts.note(tenant, "d", {"requests": 1, "tokens": 900})

        assert await attempts.take_over(tenant + 1, "d") == {}
        assert await attempts.take_over(tenant, "e") == {}
        assert await attempts.take_over(tenant, "d") == {"requests": 1, "tokens": 900}
        assert await attempts.take_over(tenant, "d") == {}


@pytest.mark.parametrize("raw", [b"{", b"[1]", b'{"tokens":-1}', b'{"tokens":true}', b'{"tokens":1e9}', b'{"t":"9"}'])
async def test_what_is_no_amount_is_none(engines: EngineUrls, raw: bytes) -> None:
    async with connected(engines.redis_url) as redis:
        tenant = randbits(48)
        await redis.set_many({f"tenant:{{{tenant}}}:attempt:d": raw}, 60)
        assert await Attempts(redis, Link(redis)).take_over(tenant, "d") == {}


async def test_without_redis_nothing_is_known(valkey: Valkey) -> None:
    await valkey.answers()
    async with connected(valkey.url) as redis:
        attempts = Attempts(redis, Link(redis))
        valkey.kill()
        await attempts.note(1, "d", {"tokens": 1})
        assert await attempts.take_over(1, "d") == {}
