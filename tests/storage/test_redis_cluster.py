"""All that is counted in Redis, in a Valkey cluster of three nodes."""

from __future__ import annotations

import asyncio
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from secrets import randbits

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from detectors.errors import StorageError
from storage.embedded.binaries import installed_binaries
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

pytestmark = pytest.mark.slow
SLOTS = 16_384


def _ports(count: int) -> list[int]:
    """Free ports whose cluster bus, 10,000 above, has room."""
    found: list[int] = []
    while len(found) < count:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        if port < 55_000 and port not in found:
            found.append(port)
    return found


def _start(folder: Path, port: int) -> subprocess.Popen[bytes]:
    folder.mkdir()
    options = ["--cluster-enabled", "yes", "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    return subprocess.Popen(
        [installed_binaries().valkey_server, "--port", str(port), *options], stdout=subprocess.DEVNULL
    )


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[RedisClient]:
    ports = _ports(3)
    processes = [_start(tmp_path / str(port), port) for port in ports]
    client = RedisClient.connect(f"redis+cluster://127.0.0.1:{ports[0]}", 5.0)
    try:
        await _meet(ports)
        await client.ping()
        yield client
    finally:
        await client.close()
        for process in processes:
            process.kill()
            process.wait()


async def _up(node: Redis) -> None:
    while True:
        with suppress(OSError, RedisError):
            await node.ping()
            return
        await asyncio.sleep(0.02)


async def _cluster(node: Redis, *command: object) -> bytes:
    reply: bytes = await node.execute_command("CLUSTER", *command)  # type: ignore[no-untyped-call]
    return reply


async def _meet(ports: list[int]) -> None:
    nodes = [Redis(host="127.0.0.1", port=port) for port in ports]
    async with asyncio.timeout(20):
        for number, node in enumerate(nodes):
            await _up(node)
            first, last = SLOTS * number // 3, SLOTS * (number + 1) // 3 - 1
            await _cluster(node, "ADDSLOTSRANGE", first, last)
            await _cluster(node, "MEET", "127.0.0.1", ports[0])
        for node in nodes:
            while b"cluster_state:ok" not in await _cluster(node, "INFO"):  # noqa: ASYNC110 - polled
                await asyncio.sleep(0.05)
    for node in nodes:
        await node.aclose()


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
