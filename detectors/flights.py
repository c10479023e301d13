"""One question at a time about one text: who asks first asks for all who want to know it meanwhile."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from detectors.batch import StageHits
from detectors.types import RunStatus


@dataclass(frozen=True, slots=True)
class Landed:
    """How a question ended: `found` is None where the detector could not look, for the reason given. Where it could not
    decide, there is a reason beside what it found.
    """

    found: StageHits | None
    status: RunStatus
    reason: str = ""


LATE: Final = Landed(None, RunStatus.TIMEOUT, "deadline")
Flight = asyncio.Future[Landed | None]


class Flights:
    """The questions under way in this process, by the keys of what is asked about (so by tenant)."""

    def __init__(self) -> None:
        self._under_way: dict[bytes, Flight] = {}

    def join(self, key: bytes) -> Flight | None:
        """Return the question that is under way; None tells the caller that it is theirs now, to ask and to `land`."""
        flight = self._under_way.get(key)
        if flight is None:
            self._under_way[key] = asyncio.get_running_loop().create_future()
        return flight

    def land(self, key: bytes, landed: Landed | None) -> None:
        """Tell all who joined how it ended. None: whoever asked was cancelled, and it is anybody's question again."""
        self._under_way.pop(key).set_result(landed)


async def arrival(flight: Flight, seconds: float) -> Landed | None:
    """Return how a question ends that somebody else asks, `LATE` if not in time. To be cancelled stops nobody else."""
    done, _ = await asyncio.wait({flight}, timeout=max(0.0, seconds))
    return flight.result() if done else LATE
