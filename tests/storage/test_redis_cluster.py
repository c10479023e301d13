"""All that is counted in Redis, in a Valkey cluster of three nodes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from secrets import randbits

import pytest

from detectors.errors import StorageError
from storage.limits.attempts import Attempts
from storage.limits.concurrency import Concurrency
from storage.limits.fleet import Fleet
from storage.limits.limits import SlidingWindows
from storage.limits.link import Link
from storage.limits.risk import RiskScores
from storage.limits.spending import Spending
from storage.limits.warned import Warned
from storage.redis_client import RedisClient
from storage.types import LimitKey
from tests.valkey_cluster import valkey_cluster

pytestmark = pytest.mark.slow


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[RedisClient]:
    with valkey_cluster(tmp_path) as url:
        client = RedisClient.connect(url, 5.0)
        await client.ping()
        yield client
        await client.close()


async def test_every_tenants_counts_lie_together_on_some_node(cluster: RedisClient) -> None:
    link, tenants = Link(cluster), [randbits(40) for _ in range(12)]
    windows = [SlidingWindows(cluster, lambda: 2, link=link) for _ in range(2)]
    places = Concurrency(cluster, link, "i:0", lambda: 1)
    spending, scores = Spending(cluster, link), RiskScores(cluster, link, 100.0)
    attempts, warned = Attempts(cluster, link), Warned(cluster, link)
    for tenant in tenants:
        keys = [LimitKey(tenant, name, 50, 60) for name in ("requests", "requests:app:1", "tokens:key:2")]
        grants = await asyncio.gather(*(windows[n % 2].take(keys, [1, 1, 1]) for n in range(80)))
        assert 45 <= sum(grant.allowed for grant in grants) <= 50
        limit = LimitKey(tenant, "concurrent", 3, 0)
        assert [one.refused is None for one in [await places.take([limit]) for _ in range(4)]] == [True] * 3 + [False]
        spending.today(tenant)
        spending.add(tenant, 7)
        assert await scores.add(tenant, ["session:a", "all"], 60.0, 1.0) == pytest.approx((1.0, 1.0), abs=0.05)
        await attempts.note(tenant, "digest", {"tokens": 5})
        assert await attempts.take_over(tenant, "digest") == {"tokens": 5}
        assert await warned.claim(tenant, "tokens", 60)
    await spending.flush()

    assert [spending.today(tenant) for tenant in tenants] == [7] * 12
    assert await Fleet(cluster, link, "i:0", lambda: 1).beat() is False
    assert link.usable()


def test_a_url_of_a_cluster_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(StorageError, match=r"redis\+cluster://"):
        RedisClient.connect("http+cluster://127.0.0.1:1")
