"""Who was told already that a limit is nearly used up: once in the length of its window, over all workers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from detectors.errors import StorageError
from storage.limits.link import Link
from storage.redis_client import RedisClient

LARGEST_TABLE: Final = 20_000


class Warned:
    def __init__(self, redis: RedisClient, link: Link, clock: Callable[[], float] = time.monotonic) -> None:
        self._redis, self._link, self._clock = redis, link, clock
        self._until: dict[tuple[int, str, int], float] = {}

    async def claim(self, tenant_id: int, name: str, seconds: int) -> bool:
        """Return whether it is the caller who tells. While Redis is away each worker tells once."""
        key, now = (tenant_id, name, seconds), self._clock()
        if self._until.get(key, 0.0) > now:
            return False
        if len(self._until) >= LARGEST_TABLE:
            self._until.clear()
        self._until[key] = now + seconds
        if not self._link.usable():
            return True
        try:
            with self._link.call():
                taken = await self._redis.claim_many([f"tenant:{{{tenant_id}}}:warned:{name}:{seconds}"], seconds)
        except StorageError:
            return True
        return taken[0]
