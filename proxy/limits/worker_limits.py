"""All that one worker counts in Redis, over one connection of its own, and how that is kept true."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from policies.risk import MOST
from proxy.limits.metering import Metering
from proxy.limits.plan import Plans
from proxy.limits.prices import Prices
from proxy.limits.risk import Steps
from proxy.settings import Settings
from storage.embedded import EngineUrls
from storage.limits.attempts import Attempts
from storage.limits.concurrency import TICK_SECONDS, Concurrency
from storage.limits.fleet import Fleet
from storage.limits.limits import SlidingWindows
from storage.limits.link import Link
from storage.limits.risk import RiskScores
from storage.limits.spending import Spending
from storage.limits.warned import Warned
from storage.redis_client import RedisClient

# A Redis that is slow is waited for, since whoever goes on alone meanwhile may admit what others admit too.
PATIENCE: Final = 0.5  # seconds


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """`windows` are every limit's, judges' budgets included; `metering` is what exchanges use."""

    redis: RedisClient
    fleet: Fleet
    windows: SlidingWindows
    concurrency: Concurrency
    spending: Spending
    metering: Metering

    async def flush(self) -> None:
        """Be heard of, hand in what is idle or new, and bring back what Redis has lost. For once a second."""
        await self.windows.flush()
        if await self.fleet.beat():
            await self.windows.restore()
        await self.spending.flush()

    async def keep_forever(self) -> None:
        """Return idle places, and hand in large corrections, ten times a second."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            await self.concurrency.keep()
            await self.windows.press()

    async def close(self) -> None:
        await self.flush()
        await self.concurrency.leave()
        await self.fleet.leave()
        await self.redis.close()


def build_limits(settings: Settings, urls: EngineUrls, name: str) -> WorkerLimits:
    """Build what the worker called `name` counts with; nothing is connected yet. Raises SettingsError."""
    redis = RedisClient.connect(urls.redis_url, PATIENCE)
    link = Link(redis)
    fleet = Fleet(redis, link, name, lambda: settings.workers)
    windows = SlidingWindows(redis, fleet.count, link=link)
    concurrency = Concurrency(redis, link, name, fleet.count)
    spending = Spending(redis, link)
    metering = Metering(
        limits=windows,
        concurrency=concurrency,
        spending=spending,
        attempts=Attempts(redis, link),
        scores=RiskScores(redis, link, MOST),
        warned=Warned(redis, link),
        prices=Prices(settings.prices),
        plans=Plans(),
        steps=Steps(),
    )
    return WorkerLimits(redis, fleet, windows, concurrency, spending, metering)
