"""When a policy has texts judged by language models, what that may cost, and how streams wait for slow detectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Final

from detectors.judges.types import Terms
from detectors.types import Category, Direction, Hit, Kind, Origin, Place, Segment, SegmentRef

_SHORTEST: Final = 12  # characters of a text in which nothing was found that a judge could say anything of


@dataclass(frozen=True, slots=True)
class JudgeMatch:
    """Findings that leave their text open. An empty condition holds for all; both ends belong to the band."""

    category: frozenset[Category] = frozenset()
    origin: frozenset[Origin] = frozenset()
    direction: Direction = Direction.REQUEST
    lowest: float = 0.0
    highest: float = 1.0

    def holds(self, segment: Segment | SegmentRef, hit: Hit) -> bool:
        return (
            self.lowest <= hit.confidence <= self.highest
            and segment.direction is self.direction
            and (not self.category or hit.category in self.category)
            and (not self.origin or segment.origin in self.origin)
        )


@dataclass(frozen=True, slots=True)
class JudgePolicy:
    """`always_origins`, `always_models` (patterns) and `sample` (a share of all texts) are judged whatever was found.

    `usd` and `calls` bound what a tenant's judges may cost in any `usd_seconds`, `calls_seconds`; None is no bound.
    """

    terms: Terms
    when: tuple[JudgeMatch, ...] = ()
    always_origins: frozenset[Origin] = frozenset()
    always_models: tuple[str, ...] = ()
    sample: float = 0.0
    usd: float | None = None
    usd_seconds: int = 86_400
    calls: int | None = None
    calls_seconds: int = 86_400
    concurrent: bool = False

    @property
    def reads_answers(self) -> bool:
        return Origin.ASSISTANT in self.always_origins or any(m.direction is Direction.RESPONSE for m in self.when)

    def wants(self, segment: Segment, hits: Sequence[Hit], model: str, lot: float) -> bool:
        """Tell whether a text is to be judged. `lot` is a number from 0 to 1 that the text itself draws."""
        if any(match.holds(segment, hit) for match in self.when for hit in hits):
            return True
        if segment.place is not Place.VALUE or segment.kind is Kind.SEAM or len(segment.text) < _SHORTEST:
            return False
        if segment.origin in self.always_origins:
            return True
        if segment.direction is not Direction.REQUEST or segment.origin not in _FOREIGN:
            return False
        return lot < self.sample or any(fnmatchcase(model, pattern) for pattern in self.always_models)


_FOREIGN: Final = frozenset({Origin.USER, Origin.TOOL, Origin.UNKNOWN})


class Slow(StrEnum):
    """What becomes of streamed text while slow detectors read it: it goes out, or it waits."""

    RELEASE = "release"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class SlowStreams:
    """`max_wait` is how long (seconds) a piece of text waits under `hold`; it is read to its end all the same."""

    slow: Slow = Slow.RELEASE
    max_wait: float = 2.0
