"""A tenant's budget for judges, in the real windows."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator

import pytest

from detectors.judges.types import Terms
from policies.judging import JudgePolicy
from proxy.judging.purse import TenantPurse
from storage.embedded import EngineUrls
from storage.limits.limits import SlidingWindows
from storage.redis_client import RedisClient

pytestmark = pytest.mark.slow


@pytest.fixture
async def windows(engines: EngineUrls) -> AsyncIterator[SlidingWindows]:
    client = RedisClient.connect(engines.redis_url)
    yield SlidingWindows(client, lambda: 1)
    await client.close()


@pytest.fixture
def tenant() -> int:
    return secrets.randbelow(1 << 40)


async def test_calls_are_counted(windows: SlidingWindows, tenant: int) -> None:
    purse = TenantPurse(windows, tenant, JudgePolicy(Terms(), calls=3))
    assert [await purse.take(0) is not None for _ in range(5)] == [True, True, True, False, False]


async def test_money_is_set_aside_and_what_was_not_spent_comes_back(windows: SlidingWindows, tenant: int) -> None:
    purse = TenantPurse(windows, tenant, JudgePolicy(Terms(), usd=0.001))
    first = await purse.take(900)
    assert first is not None
    assert await purse.take(900) is None
    first.settle(50)
    assert await purse.take(900) is not None


async def test_one_tenants_judges_cost_another_nothing(windows: SlidingWindows, tenant: int) -> None:
    policy = JudgePolicy(Terms(), calls=1)
    assert [await TenantPurse(windows, tenant + n, policy).take(0) is not None for n in (0, 1, 0)] == [
        True,
        True,
        False,
    ]


async def test_while_the_store_is_away_a_worker_has_its_share(tenant: int) -> None:
    client = RedisClient.connect("redis://127.0.0.1:1/0")
    alone = SlidingWindows(client, lambda: 4)
    purse = TenantPurse(alone, tenant, JudgePolicy(Terms(), calls=8))
    assert sum([await purse.take(0) is not None for _ in range(8)]) == 2
    await client.close()


async def test_without_a_bound_nobody_is_asked(tenant: int) -> None:
    client = RedisClient.connect("redis://127.0.0.1:1/0")
    nobody = SlidingWindows(client, lambda: 4)
    taken = await TenantPurse(nobody, tenant, JudgePolicy(Terms())).take(5_000_000)
    assert taken is not None
    assert not nobody.degraded
    await client.close()
