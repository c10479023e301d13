"""The second level of the findings cache: what any process of the installation knows of a tenant's texts, in Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Final

from detectors.batch import StageHits
from detectors.breaker import NO_PERMIT, Breaker
from detectors.errors import StorageError
from detectors.types import Stage
from storage.findings_format import dump_hits, load_hits
from storage.redis_client import RedisClient

# What a judge said cost money and seconds; what a model of ours said is worked out again in milliseconds.
KEPT: Final[Mapping[Stage, int]] = {Stage.REFINER: 3600, Stage.JUDGE: 7 * 24 * 3600}  # seconds
MOST_KEYS: Final = 512  # of one question; what is beyond is looked at anew
_FAILURES, _RECOVERY = 3, 1.0


class SharedFindingsCache:
    """Never raises: Redis away, slow, or holding what nobody can read is a miss. After three failures in a row it is
    left alone for a second, so that a store that hangs costs one call's timeout a second and not one a request.

    Values are sealed under `key` for the place they stand at: moved, cut or written by others they are a miss.
    """

    def __init__(self, redis: RedisClient, key: bytes) -> None:
        self._redis, self._key = redis, key
        self._breaker = Breaker(_FAILURES, _RECOVERY)

    async def get_many(self, tenant_id: int, keys: Sequence[bytes]) -> Sequence[StageHits | None]:
        """Return what is known under each key, in order, by one question."""
        asked = [_place(tenant_id, key) for key in keys[:MOST_KEYS]]
        known: list[StageHits | None] = [None] * len(keys)
        permit = self._breaker.admits() if asked else NO_PERMIT
        if permit == NO_PERMIT:
            return known
        values: Sequence[bytes | None] = ()
        with self._noted(permit):
            values = await self._redis.get_many(asked)
        for index, value in enumerate(values):
            known[index] = None if value is None else load_hits(value, asked[index], self._key)
        return known

    async def put_many(self, tenant_id: int, stage: Stage, found: Mapping[bytes, StageHits]) -> None:
        """Keep what a stage said, for as long as it is worth; no more than is ever asked for at once."""
        places = ((_place(tenant_id, key), hits) for key, hits in islice(found.items(), MOST_KEYS))
        dumped = ((place, dump_hits(hits, place, self._key)) for place, hits in places)
        values = {place: value for place, value in dumped if value is not None}
        permit = self._breaker.admits() if values else NO_PERMIT
        if permit == NO_PERMIT:
            return
        with self._noted(permit):
            await self._redis.set_many(values, KEPT[stage])

    async def claim(self, tenant_id: int, keys: Sequence[bytes], seconds: float) -> Sequence[bool]:
        """Return of each key whether nobody asks about it at this moment; then the caller does, for so many seconds."""
        ours: Sequence[bool] = [True] * len(keys)
        permit = self._breaker.admits() if keys else NO_PERMIT
        if permit != NO_PERMIT:
            with self._noted(permit):
                ours = await self._redis.claim_many([_claim(tenant_id, key) for key in keys], seconds)
        return ours

    async def release(self, tenant_id: int, keys: Sequence[bytes]) -> None:
        """Let others ask about these."""
        permit = self._breaker.admits()
        if permit != NO_PERMIT:
            with self._noted(permit):
                await self._redis.drop_many([_claim(tenant_id, key) for key in keys])

    @contextmanager
    def _noted(self, permit: int) -> Iterator[None]:
        """Tell the breaker how one question went; nobody else hears of it."""
        try:
            yield
        except StorageError:
            self._breaker.note(permit, failed=True)
        except asyncio.CancelledError:
            self._breaker.abandon(permit)
            raise
        else:
            self._breaker.note(permit, failed=False)


def _place(tenant_id: int, key: bytes) -> str:
    return f"tenant:{{{tenant_id}}}:findings:{key.hex()}"


def _claim(tenant_id: int, key: bytes) -> str:
    return f"tenant:{{{tenant_id}}}:asking:{key.hex()}"
