"""How many exchanges run at once over all workers: slots in Redis, held by workers that are heard of."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from detectors.errors import StorageError
from storage.limits.link import Link
from storage.redis_client import RedisClient, Script
from storage.types import LimitKey

HOLD_SECONDS: Final = 10.0  # what a dead worker held is free again after
RENEW_SECONDS: Final = 3.0
TICK_SECONDS: Final = 0.1
REFUSED_SECONDS: Final = 0.02  # a refusal is repeated for so long without asking
IDLE_SHARE: Final = 20  # all workers' idle slots together are at most 1/20 of the limit


@dataclass(slots=True, eq=False)
class _Row:
    """One limit as this worker stands to it. Times are seconds of the worker's clock."""

    key: LimitKey
    name: str
    used: int = 0
    most: int = 0  # used at once since the last tick
    held: int = 0
    others: int = 0  # held by other workers when this one last asked
    holds_until: float = 0.0
    renew_at: float = 0.0
    refused_at: float = -math.inf
    refused_until: float = 0.0
    waiting: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Places:
    """What one exchange holds; `refused` is the limit that said no, then nothing is held. `release` may come twice."""

    __slots__ = ("_rows", "refused")

    def __init__(self) -> None:
        self._rows: list[_Row] = []
        self.refused: LimitKey | None = None

    def nearly_used(self) -> list[tuple[LimitKey, int]]:
        """Return the limits that are four fifths used, as far as this worker knows, with the places left."""
        left = [(row.key, max(0, row.key.limit - row.used - row.others)) for row in self._rows]
        return [(key, places) for key, places in left if places * 5 <= key.limit]

    def release(self) -> None:
        for row in self._rows:
            row.used -= 1
        self._rows = []


class Concurrency:
    """Slots that a worker uses without asking while it has some; it asks for more, and returns them a moment later.

    While Redis is away each worker lives on limit / workers. `name` tells the worker from all others.
    """

    def __init__(
        self,
        redis: RedisClient,
        link: Link,
        name: str,
        workers: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis, self._link, self._name, self._workers, self._clock = redis, link, name, workers, clock
        self._script = Script.load("slots")
        self._rows: dict[tuple[int, str], _Row] = {}

    async def take(self, keys: Sequence[LimitKey]) -> Places:
        """Take one slot of each limit, or of none. Never raises for Redis."""
        places = Places()
        done = False
        try:
            for key in keys:
                row = self._rows.get((key.tenant_id, key.name)) or self._add(key)
                row.key = key  # a changed policy has the same slots, and another limit
                if not (self._spend(row) or await self._draw(row)):
                    places.release()
                    places.refused = key
                    break
                places._rows.append(row)  # noqa: SLF001 - of this module
            done = True
        finally:
            if not done:  # cancelled while it waited for its second limit
                places.release()
        return places

    async def keep(self) -> None:
        """Return what is idle, renew what is held, and tell a Redis that was away what is in use."""
        now = self._clock()
        for name, row in list(self._rows.items()):
            wanted, row.most = max(row.most, row.used), row.used
            if not (row.held or row.used or row.waiting):
                del self._rows[name]
            elif self._link.usable() and (row.held > wanted or row.held < row.used or now >= row.renew_at):
                async with row.lock:
                    await self._ask(row, 0, wanted)

    async def leave(self) -> None:
        """Return everything: the worker ends."""
        for row in self._rows.values():
            row.used = 0
            if row.held and self._link.usable():
                await self._ask(row, 0, 0)

    def _spend(self, row: _Row) -> bool:
        if row.used < row.held and self._clock() < row.holds_until:
            row.used += 1
            row.most = max(row.most, row.used)
            return True
        return False

    async def _draw(self, row: _Row) -> bool:
        if not self._link.trusted():
            return self._spend_alone(row)
        since = self._clock()
        row.waiting += 1
        try:
            async with row.lock:
                if self._spend(row):
                    return True
                if self._clock() < row.refused_until or row.refused_at >= since:
                    return False
                asked_at = self._clock()
                spare = row.key.limit // (IDLE_SHARE * max(1, self._workers()))
                if not self._link.usable() or not await self._ask(row, 1, row.used + max(row.waiting, 1 + spare)):
                    return self._spend_alone(row)
                if self._spend(row):
                    return True
                row.refused_at, row.refused_until = asked_at, self._clock() + REFUSED_SECONDS
                return False
        finally:
            row.waiting -= 1

    def _spend_alone(self, row: _Row) -> bool:
        if row.used >= max(1, row.key.limit // max(1, self._workers())):
            return False
        row.used += 1
        row.most = max(row.most, row.used)
        return True

    async def _ask(self, row: _Row, more: int, wanted: int) -> bool:
        """Hold as many slots as wanted, if the limit has them; False where Redis gave no usable answer."""
        asked_at, used = self._clock(), row.used
        row.held = used  # until the answer is there, nobody knows of more
        need = used + more
        want = max(wanted, need)
        arguments = (row.key.limit, self._name, used, need, want, int(HOLD_SECONDS * 1000))
        try:
            with self._link.call():
                reply = await self._redis.run_script(self._script, [row.name], arguments)
                row.held, row.others = _held(reply, used, want)
        except StorageError:
            return False
        row.holds_until, row.renew_at = asked_at + HOLD_SECONDS, asked_at + RENEW_SECONDS
        return True

    def _add(self, key: LimitKey) -> _Row:
        row = self._rows[key.tenant_id, key.name] = _Row(key, slots_name(key))
        return row


def slots_name(key: LimitKey) -> str:
    """Return the key in Redis of a limit's slots."""
    return f"tenant:{{{key.tenant_id}}}:slots:{key.name}"


def _held(reply: object, least: int, most: int) -> tuple[int, int]:
    """Return how many slots the worker holds, and all others. Raises StorageError for a reply that is none."""
    match reply:
        case [int(held), int(others)] if least <= held <= most and others >= 0:
            return held, others
        case _:
            raise StorageError("redis script: slots.lua gave an unexpected reply")
