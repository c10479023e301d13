"""`make bench-limits`: what it costs to know who asks, and to hold them to their limits; figures and bars.

Best of several rounds, in this process: of an identity that is known, and of one request through three levels of a
limit (tenant, app, key) that is used to four fifths, calls to a private Valkey included. CPU is this process' alone.
A lease lives as long as the bucket that counts it, half a second of a minute: of few requests each pays more of a
call, and the bar of small limits is therefore what they take of a core.
"""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Final

import uvloop

from proxy.identity import KeyDirectory
from storage.limits.limits import SlidingWindows
from storage.redis_client import RedisClient
from storage.revisions import Revisions
from storage.tenants.api_keys import generate_key
from storage.types import Identity, LimitKey
from tests.bench.store_queries import private_engines

IDENTITY: Final = 3.0  # us of CPU
LIMITS: Final = 15.0  # us of CPU, or
SHARE: Final = 0.01  # of a core
ROUNDS: Final = 7
TAKES: Final = 3000
TOKEN_BYTES: Final = 640  # of a token with a dozen claims and an RSA signature, before base64
LEVELS: Final = ("requests", "requests:app:1", "requests:key:1")
KEPT: Final = 0.8  # of a limit


class _Clock:
    """Time that passes from one request to the next, evenly."""

    def __init__(self) -> None:
        self.now = 1e6

    def __call__(self) -> float:
        return self.now


class _Known:
    """A store of one identity, for API keys and for tokens."""

    def __init__(self, ends: float | None) -> None:
        self._identity = Identity(1, "acme", 2, "web", 0 if ends else 3, ends)

    async def find(self, _key: object) -> Identity:
        return self._identity

    def forget(self) -> None:
        """Nothing to forget."""


async def identity(credential: str, ends: float | None) -> float:
    """Return the CPU (us) of looking a known credential up."""

    async def revisions() -> Revisions:
        return Revisions(*(0 for _ in Revisions.__annotations__))

    directory = KeyDirectory(_Known(None), revisions, secrets.token_bytes(32), 1e9, tokens=_Known(ends))
    await directory.check()
    await directory.identify(credential)
    return min([await cpu_of(lambda: directory.identify(credential)) for _ in range(ROUNDS)])


async def limits(redis: RedisClient, limit: int) -> float:
    """Return the CPU (us) of a request at the one worker of whom `KEPT` of `limit` a minute is asked."""
    clock, taken = _Clock(), []
    windows = SlidingWindows(redis, lambda: 1, clock)
    tenant = secrets.randbits(48)
    keys = [LimitKey(tenant, name, limit, 60) for name in LEVELS]

    async def one() -> None:
        clock.now += 60 / (limit * KEPT)
        taken.append((await windows.take(keys, [1] * len(keys))).allowed)

    best = min([await cpu_of(one) for _ in range(ROUNDS)])
    if not all(taken):
        raise AssertionError("what keeps a limit was refused")
    return best


async def cpu_of(work: Callable[[], Awaitable[object]]) -> float:
    began = time.process_time()
    for _ in range(TAKES):
        await work()
    return (time.process_time() - began) / TAKES * 1e6


async def run() -> bool:
    token = (
        "eyJ" + secrets.token_urlsafe(40) + "." + secrets.token_urlsafe(TOKEN_BYTES) + "." + secrets.token_urlsafe(9)
    )
    held = True
    for name, credential, ends in (
        ("an API key", generate_key(), None),
        ("a tenant's token", token, time.time() + 3600),
    ):
        spent = await identity(credential, ends)
        print(f"identity of {name}: {spent:.2f} us (bar {IDENTITY:g})")
        held = held and spent <= IDENTITY
    with private_engines("valkey") as urls:
        redis = RedisClient.connect(urls.redis_url)
        for limit in (600, 6000, 60_000):
            spent = await limits(redis, limit)
            share = spent / 1e6 * limit * KEPT / 60
            print(
                f"three levels of {limit:,}/min: {spent:.1f} us, {share:.2%} of a core (bars {LIMITS:g}, {SHARE:.0%})"
            )
            held = held and (spent <= LIMITS or share <= SHARE)
        await redis.close()
    return held


if __name__ == "__main__":
    sys.exit(0 if uvloop.run(run()) else 1)
