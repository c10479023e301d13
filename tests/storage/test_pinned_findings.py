"""Pinned findings: kept for a tenant within a bound, sealed, and gone without complaint where Redis is."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator

import pytest

from detectors.batch import StageHits
from detectors.types import Category, Hit, Severity
from storage.embedded import EngineUrls
from storage.pinned_findings import MOST, PinnedFindings
from storage.redis_client import RedisClient

KEY = b"k" * 32
FOUND = StageHits({"pii": (Hit("PS-T-001", "WORD", Category.PII, Severity.LOW, 0.9, None, (), "A test"),)})


@pytest.fixture
async def redis(engines: EngineUrls) -> AsyncIterator[RedisClient]:
    client = RedisClient.connect(engines.redis_url, timeout=5.0)
    yield client
    await client.close()


@pytest.fixture
def tenant_id() -> int:
    return secrets.randbelow(1 << 40)


async def test_what_is_pinned_is_loaded_by_its_tenant_alone(redis: RedisClient, tenant_id: int) -> None:
    pinned, found = PinnedFindings(redis, KEY), {secrets.token_bytes(48): FOUND for _ in range(3)}

    await pinned.keep(tenant_id, found)

    assert await pinned.load(tenant_id) == found
    assert await pinned.load(tenant_id + 1) == {}
    assert await PinnedFindings(redis, b"x" * 32).load(tenant_id) == {}


async def test_there_is_room_for_so_many_and_no_more(redis: RedisClient, tenant_id: int) -> None:
    pinned = PinnedFindings(redis, KEY)
    for _ in range(2):
        await pinned.keep(tenant_id, {secrets.token_bytes(48): FOUND for _ in range(MOST - 1)})

    assert len(await pinned.load(tenant_id)) == MOST - 1


async def test_redis_away_is_nothing_pinned() -> None:
    pinned = PinnedFindings(RedisClient.connect("redis://127.0.0.1:1/0"), KEY)

    await pinned.keep(7, {b"a": FOUND})

    assert await pinned.load(7) == {}
