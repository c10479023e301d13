"""How full limits are, for people who look: read from Redis, without taking anything of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from detectors.errors import StorageError
from storage.limits.concurrency import slots_name
from storage.limits.lease import Lease, Reply
from storage.redis_client import RedisClient, Script
from storage.types import LimitKey

_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Standing:
    """Units used within the window that ends now, and when nothing of them is left in it (seconds)."""

    used: int
    empty_in: float


class LimitStandings:
    """Workers hold leases of at most a twentieth of a limit: those count as used."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis
        self._window, self._slots = Script.load("window"), Script.load("slots")

    async def of(self, keys: Sequence[LimitKey]) -> list[Standing | None]:
        """Return each limit's standing; None for what Redis does not tell."""
        found: list[Standing | None] = []
        for start in range(0, len(keys), _AT_ONCE):
            found += await asyncio.gather(*(self._one(key) for key in keys[start : start + _AT_ONCE]))
        return found

    async def _one(self, key: LimitKey) -> Standing | None:
        try:
            return await (self._look_at_window(key) if key.window_seconds else self._look_at_slots(key))
        except StorageError:
            return None

    async def _look_at_window(self, key: LimitKey) -> Standing:
        lease = Lease(key)
        own = lease.ask(0, 1, 0.0, 0)
        raw = await self._redis.run_script(self._window, [lease.name], [" ".join(map(str, (len(own), *own)))])
        (reply,) = Reply.parse_all(raw, 1)
        return Standing(key.limit - reply.room, reply.reset)

    async def _look_at_slots(self, key: LimitKey) -> Standing:
        match await self._redis.run_script(self._slots, [slots_name(key)], [key.limit, "", 0, 0, 0, 1]):
            case [int(), int(others)]:
                return Standing(others, 0.0)
            case _:
                raise StorageError("redis script: slots.lua gave an unexpected reply")
