"""Warm from the start: what a tenant sends with every request is known to a worker that has only just begun.

Once a second one request is looked at, so requests pay nothing for it. A text of the system's, or a tool's, that is met
in three of them is pinned: what was found in it (never the text) is kept for all workers, who take it up when they
first see the tenant.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from detectors.batch import StageHits
from detectors.chain import Chain, InspectionOptions
from detectors.types import Origin, Segment

PINNED_FROM: Final = 3  # requests, of those looked at
MOST_TEXTS: Final = 64  # of one request
_MOST_KNOWN: Final = 4096
_LASTING: Final = frozenset({Origin.SYSTEM, Origin.TOOL_DEFINITION})


class Pinned(Protocol):
    """Where pinned findings are kept. Never raises."""

    async def load(self, tenant_id: int) -> Mapping[bytes, StageHits]: ...
    async def keep(self, tenant_id: int, found: Mapping[bytes, StageHits]) -> None: ...


@dataclass(frozen=True, slots=True)
class Sample:
    """One request's texts, until the next look."""

    tenant_id: int
    segments: Sequence[Segment]
    options: InspectionOptions


class Warming:
    """One worker's share in it."""

    def __init__(self, chain: Chain, pinned: Pinned) -> None:
        self._chain, self._pinned = chain, pinned
        self._warm: set[int] = set()
        self._met: Counter[bytes] = Counter()

    async def look(self, sample: Sample | None) -> None:
        """Take up what is pinned for a tenant that is new here, and pin what its requests repeat."""
        if sample is None:
            return
        if sample.tenant_id not in self._warm:
            self._warm = {sample.tenant_id} if len(self._warm) >= _MOST_KNOWN else self._warm | {sample.tenant_id}
            self._chain.learn(await self._pinned.load(sample.tenant_id))
        lasting = [segment for segment in sample.segments if segment.origin in _LASTING][:MOST_TEXTS]
        known = self._chain.known(lasting, sample.options)
        if len(self._met) >= _MOST_KNOWN:
            self._met.clear()
        self._met.update(known.keys())
        new = {key: found for key, found in known.items() if self._met[key] == PINNED_FROM}
        if new:
            await self._pinned.keep(sample.tenant_id, new)
