"""What tenants have spent since midnight (UTC), summed up over all workers; their own sums while Redis is away."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from detectors.errors import StorageError
from storage.limits.link import Link
from storage.redis_client import RedisClient

DAY: Final = 86_400
KEPT_SECONDS: Final = 2 * DAY
LARGEST_TABLE: Final = 50_000  # tenants
_AT_ONCE: Final = 500


class Spending:
    """In millionths of a US dollar. What a worker knows of the others is a second old. Nothing here ever raises.

    A Redis that says less than before has lost something (FLUSHALL, a failover): each worker brings back what it handed
    in itself, so that new workers and sums to come hold it again.
    """

    def __init__(self, redis: RedisClient, link: Link, clock: Callable[[], float] = time.time) -> None:
        self._redis, self._link, self._clock = redis, link, clock
        self._day = 0
        self._known: dict[int, int] = {}
        self._new: dict[int, int] = {}
        self._said: dict[int, int] = {}  # what Redis answered last
        self._own: dict[int, int] = {}  # how much of that is ours
        self._lost: dict[int, int] = {}  # what of ours it has lost

    def today(self, tenant_id: int) -> int:
        """Return what a tenant has spent; from the first question on, what others spend is known too."""
        self._turn()
        if tenant_id not in self._known and len(self._known) < LARGEST_TABLE:
            self._known[tenant_id] = 0
            self._new.setdefault(tenant_id, 0)
        return self._known.get(tenant_id, 0) + self._new.get(tenant_id, 0)

    def add(self, tenant_id: int, amount: int) -> None:
        self._turn()
        if tenant_id in self._new or len(self._new) < LARGEST_TABLE:
            self._new[tenant_id] = self._new.get(tenant_id, 0) + max(0, amount)

    async def flush(self) -> None:
        """Hand in what is new and learn what others spent. Meant for once a second."""
        self._turn()
        day = self._day
        asked = {tenant: self._new.get(tenant, 0) for tenant in (*self._known, *self._new)}
        tenants = list(asked)
        for start in range(0, len(tenants), _AT_ONCE):
            part = tenants[start : start + _AT_ONCE]
            if not self._link.usable():
                return
            try:
                with self._link.call():
                    given = {_name(t, day): asked[t] + self._lost.get(t, 0) for t in part}
                    sums = await self._redis.add_many(given, KEPT_SECONDS)
            except StorageError:
                return  # unknown whether it was counted: it stays, because too much is better than too little
            if day == self._day:
                self._take_in(dict(zip(part, sums, strict=True)), asked)

    def _take_in(self, sums: dict[int, int], asked: dict[int, int]) -> None:
        for tenant, total in sums.items():
            left = self._new.get(tenant, 0) - asked[tenant]
            self._known[tenant] = max(self._known.get(tenant, 0) + asked[tenant], total)  # also after a FLUSHALL
            self._note_loss(tenant, total, asked[tenant] + self._lost.get(tenant, 0))
            if left > 0:
                self._new[tenant] = left
            else:
                self._new.pop(tenant, None)

    def _note_loss(self, tenant: int, total: int, given: int) -> None:
        own = self._own.get(tenant, 0)
        lost = min(own, max(0, self._said.get(tenant, 0) + given - total))
        self._said[tenant], self._own[tenant], self._lost[tenant] = total, own + given - lost, lost

    def _turn(self) -> None:
        """Begin a new day."""
        day = int(self._clock() // DAY)
        if day != self._day:
            self._day, self._known, self._new = day, {}, {}
            self._said, self._own, self._lost = {}, {}, {}


def _name(tenant_id: int, day: int) -> str:
    return f"tenant:{{{tenant_id}}}:spent:{day}"
