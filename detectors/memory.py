"""What was said of a text before: in process for every stage, behind it in a shared store for expensive ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from hashlib import blake2b
from typing import Final, Protocol

from detectors.batch import Batch, StageHits
from detectors.digests import SIZE, Digests
from detectors.plan import Plan
from detectors.types import Segment, Stage

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
    async def claim(self, tenant_id: int, keys: Sequence[bytes], seconds: float) -> Sequence[bool]:
        """Return of each key whether the caller is the only one of all processes to ask, for so many seconds; true
        where nobody can tell.
        """

    async def release(self, tenant_id: int, keys: Sequence[bytes]) -> None:
        """Let others ask, because the answer is there or will not come."""


Told = Mapping[bytes, Mapping[int, StageHits]]  # by a step's mark, then by the index of a text: what it said of it


class DetectionEngine(Protocol):
    """The chain in another process. It never raises and answers within a bounded time; what it does not tell (all, if
    it is away), its caller finds out by itself.
    """

    async def inspect(self, segments: Sequence[Segment]) -> Told: ...


class Lookup(IntEnum):
    """How a stage came to know of a text: in process, from the shared store, from who was asking already, anew,
    or from the engine.
    """

    LOCAL = 0
    SHARED = 1
    JOINED = 2
    MISS = 3
    ENGINE = 4


_LOCAL, _MISS, _ENGINE = (
    Lookup.LOCAL.value,
    Lookup.MISS.value,
    Lookup.ENGINE.value,
)  # looked up on their class, members cost ten times as much


class Memory:
    """One chain's memory of texts. `counts` grows by stage and lookup as long as the process lives."""

    def __init__(self, cache: FindingsCache | None) -> None:
        self._cache = cache
        self._hashing: dict[bytes, Digests] = {}
        self.counts = [[0] * len(Lookup) for _ in range(max(Stage) + 1)]

    def hashing(self, content_key: bytes, added: str = "") -> Digests | None:
        """Return what hashes texts under a tenant's key, other than before if a policy has `added` to what is looked
        for; None where nothing may be remembered.
        """
        if self._cache is None or not content_key:
            return None
        if added:
            content_key = blake2b(added.encode(), key=content_key, digest_size=SIZE).digest()
        known = self._hashing.get(content_key)
        if known is None:
            if len(self._hashing) >= _TENANTS:
                self._hashing.clear()
            known = self._hashing[content_key] = Digests(content_key)
        return known

    def count(self, plan: Plan, known: int, unseen: int, told: int) -> None:
        """Count how many texts a stage knew in process, `told` of them by the engine a moment ago. Of an expensive one,
        the rest is counted where it is asked.
        """
        counts = self.counts[plan.stage]
        told = min(told, known)  # the policy may not want all that the engine looked at
        counts[_LOCAL] += known - told
        counts[_ENGINE] += told
        if not plan.gated:
            counts[_MISS] += unseen

    def recall(self, plan: Plan, wanted: Sequence[int], batch: Batch) -> Sequence[int]:
        """Add what is known in process of the `wanted` segments to the batch; return those of which nothing is."""
        if self._cache is None or not batch.keyed:
            return wanted
        keys = batch.keys(plan)
        if len(wanted) < len(keys):
            keys = [keys[index] for index in wanted]
        known = self._cache.get_many(keys)
        # Of most requests all is new, or all is known but one message.
        return wanted if known.count(None) == len(known) else batch.recall(wanted, known)

    def known(self, plans: Sequence[Plan], batch: Batch) -> Mapping[bytes, StageHits]:
        """Return, by key, what every cheap step knows of the batch's texts."""
        if self._cache is None or not batch.keyed:
            return {}
        keys = [key for plan in plans if plan.remembered and not plan.gated for key in batch.keys(plan)]
        found = zip(keys, self._cache.get_many(keys), strict=True)
        return {key: known for key, known in found if known is not None}

    def learn(self, found: Mapping[bytes, StageHits]) -> None:
        """Keep what a process like this one knew."""
        if self._cache is not None:
            for key, known in found.items():
                self._cache.put(key, known)

    async def be_told(self, plans: Sequence[Plan], batch: Batch, engine: DetectionEngine) -> None:
        """Ask the engine about the texts that no cheap step knows all about, and keep what it tells as if looked up."""
        if self._cache is None or not batch.keyed:
            return
        unknown: set[int] = set()
        for plan in plans:
            if plan.remembered and not plan.gated:
                known = self._cache.get_many([batch.keys(plan)[index] for index in batch.inspectable])
                unknown.update(index for index, found in zip(batch.inspectable, known, strict=True) if found is None)
        if not unknown:
            return
        asked = sorted(unknown)
        told = await engine.inspect([batch.segments[index] for index in asked])
        for plan in plans:
            said = told.get(plan.marks()[0])
            if said:
                values = {asked[number]: found for number, found in said.items()}
                self.remember(plan, values, batch)
                batch.looked.update(values)
                batch.told[plan.marks()[0]] = len(values)

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
