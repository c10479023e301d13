"""Questions that another process asks: judges cost money, so of all workers one asks, and the others hear of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from detectors.flights import Landed
from detectors.memory import SharedFindings
from detectors.plan import Plan
from detectors.types import InspectionContext, RunStatus, Stage

_FIRST, _LONGEST = 0.02, 0.2  # seconds between two looks, which grow
# Of a question's time, for which nobody else asks: who waits for a process that fell has the rest to ask himself.
_SHARE: Final = 0.6


@dataclass(frozen=True, slots=True)
class Occasion:
    """For whom a detector is asked, what others may know, how long it may take in all (seconds), and how many texts of
    the batch it is not asked about.
    """

    context: InspectionContext
    shared: SharedFindings | None
    seconds: float
    left_out: int


class Elsewhere:
    """Finds out, through the shared store, who else asks about the texts of one occasion. Without it everybody asks for
    himself. What is `held` by us must be released, however it ends.
    """

    def __init__(self, plan: Plan, occasion: Occasion) -> None:
        # What is ours to compute takes less than asking around.
        self._shared = occasion.shared if plan.stage is Stage.JUDGE else None
        self._tenant_id, self._seconds = occasion.context.tenant_id or 0, occasion.seconds * _SHARE
        self._held: set[bytes] = set()

    async def asked(self, own: Mapping[int, bytes]) -> Mapping[int, bytes]:
        """Return which of our texts another process asks about at this moment."""
        if self._shared is None or not own or not all(own.values()):
            return {}
        return await self._claim(own)

    async def overhear(self, asked: Mapping[int, bytes], seconds: float) -> Mapping[int, Landed]:
        """Return what others were told within so many seconds. What they gave up on is ours to ask, and not in it."""
        shared, heard, waiting, pause = self._shared, dict[int, Landed](), asked, _FIRST
        while shared is not None and waiting and seconds > pause:
            await asyncio.sleep(pause)
            seconds -= pause
            pause = min(2 * pause, _LONGEST)
            known = await shared.get_many(self._tenant_id, list(waiting.values()))
            told = {index: found for index, found in zip(waiting, known, strict=True) if found is not None}
            heard |= {index: Landed(found, RunStatus.OK) for index, found in told.items()}
            waiting = await self._claim({index: key for index, key in waiting.items() if index not in told})
        return heard

    async def release(self) -> None:
        """Let others ask about what we asked about."""
        held, self._held = self._held, set()
        if self._shared is not None and held:
            await self._shared.release(self._tenant_id, list(held))

    async def _claim(self, texts: Mapping[int, bytes]) -> Mapping[int, bytes]:
        """Take what nobody asks about; return the rest."""
        if self._shared is None or not texts:
            return {}
        claimed = await self._shared.claim(self._tenant_id, list(texts.values()), self._seconds)
        self._held.update(key for key, ours in zip(texts.values(), claimed, strict=True) if ours)
        return {index: key for (index, key), ours in zip(texts.items(), claimed, strict=True) if not ours}
