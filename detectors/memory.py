"""What was said of a text before: in process for every stage, behind it in a shared store for expensive ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Final, Protocol

from detectors.batch import Batch, StageHits
from detectors.digests import Digests
from detectors.plan import Plan
from detectors.types import Stage

_TENANTS: Final = 4096  # whose begun hashes are kept; they are made anew in microseconds


class FindingsCache(Protocol):
    """Remembers stage hits of all tenants by content. Keys are keyed hashes already, each tenant's under its own."""

    def get_many(self, keys: Sequence[bytes]) -> Sequence[StageHits | None]: ...
    def put(self, key: bytes, value: StageHits) -> None: ...


class SharedFindings(Protocol):
    """What other processes remember of one tenant's texts. It never raises, and answers within a bounded time: what is
    away, slow or unreadable is not known.
    """

    async def get_many(self, tenant_id: int, keys: Sequence[bytes]) -> Sequence[StageHits | None]: ...
    async def put_many(self, tenant_id: int, stage: Stage, found: Mapping[bytes, StageHits]) -> None: ...


class Lookup(IntEnum):
    """How a stage came to know of a text: in process, from the shared store, from who was asking already, or anew."""

    LOCAL = 0
    SHARED = 1
    JOINED = 2
    MISS = 3


_LOCAL, _MISS = Lookup.LOCAL.value, Lookup.MISS.value  # looked up on their class, members cost ten times as much


class Memory:
    """One chain's memory of texts. `counts` grows by stage and lookup as long as the process lives."""

    def __init__(self, cache: FindingsCache | None) -> None:
        self._cache = cache
        self._hashing: dict[bytes, Digests] = {}
        self.counts = [[0] * len(Lookup) for _ in range(max(Stage) + 1)]

    def hashing(self, content_key: bytes) -> Digests | None:
        """Return what hashes texts under a tenant's key; None where nothing may be remembered."""
        if self._cache is None or not content_key:
            return None
        known = self._hashing.get(content_key)
        if known is None:
            if len(self._hashing) >= _TENANTS:
                self._hashing.clear()
            known = self._hashing[content_key] = Digests(content_key)
        return known

    def count(self, plan: Plan, known: int, unseen: int) -> None:
        """Count how many texts a stage knew in process; of an expensive one, the rest is counted where it is asked."""
        counts = self.counts[plan.stage]
        counts[_LOCAL] += known
        if not plan.gated:
            counts[_MISS] += unseen

    def recall(self, plan: Plan, wanted: Sequence[int], batch: Batch) -> Sequence[int]:
        """Add what is known in process of the `wanted` segments to the batch; return those of which nothing is."""
        if self._cache is None or not batch.keyed:
            return wanted
        keys = batch.keys(plan)
        if len(wanted) < len(keys):
            keys = [keys[index] for index in wanted]
        return batch.recall(wanted, self._cache.get_many(keys))

    async def recall_shared(
        self, plan: Plan, unseen: Sequence[int], batch: Batch, shared: SharedFindings | None, tenant_id: int | None
    ) -> Sequence[int]:
        """As `recall`, by one question to the shared store; what is known there is known in process from now on."""
        if shared is None or tenant_id is None or self._cache is None or not batch.keyed:
            return unseen
        keys = [batch.keys(plan)[index] for index in unseen]
        known = await shared.get_many(tenant_id, keys)
        for key, found in zip(keys, known, strict=True):
            if found is not None:
                self._cache.put(key, found)
        return batch.recall(unseen, known)

    def remember(self, plan: Plan, values: Mapping[int, StageHits], batch: Batch) -> None:
        """Keep what a whole stage has said of segments."""
        if self._cache is not None and batch.keyed:
            keys = batch.keys(plan)
            for index, value in values.items():
                self._cache.put(keys[index], value)
