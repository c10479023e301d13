"""What a refiner says of a text that it could not decide."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Self

from detectors.types import Hit, RunStatus

SPENT: Final = "budget"  # why a text was left alone: it may cost no more
# Why a text is undecided.
STILL_JUDGING: Final = "still_judging"  # its answer is on the way
OUT_OF_TIME: Final = "deadline"
QUEUE_FULL: Final = "queue_full"


class Undecided(tuple[Hit, ...]):  # noqa: SLOT001 - a tuple has no room for slots
    """Returned instead of a text's hits: what is claimed all the same, and why no more is known.

    `status` is SKIPPED where it was not to look further, else what failed.
    """

    status: RunStatus
    reason: str

    def __new__(cls, hits: Iterable[Hit], status: RunStatus, reason: str) -> Self:
        made = super().__new__(cls, hits)
        made.status, made.reason = status, reason
        return made
