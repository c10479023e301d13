"""What detectors may say of themselves: which segments they read, and which they are worth their price for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Literal, Protocol, runtime_checkable

from detectors.types import Detector, Hit, InspectionContext, Segment

LEANING: Final = 0.2  # a claim of less confidence is a leaning: it tells later stages where to look, and is no finding

Wants = Callable[[Segment, Sequence[Hit]], bool]
TakesPart = Callable[[InspectionContext], bool]


@runtime_checkable
class Selective(Protocol):
    """What a detector also is whose hits are not remembered, so that others' memory is of use all the same: what it
    does not read costs no readings.
    """

    def reads(self, segment: Segment, context: InspectionContext) -> bool:
        """Tell whether anything may be found there."""


@runtime_checkable
class Sharpening(Protocol):
    """What an expensive detector also is that sharpens others' claims: it is asked only about segments in which an
    earlier stage claimed anything.
    """

    def wants(self, segment: Segment, hits: Sequence[Hit]) -> bool:
        """Tell whether the local answer lies in this detector's band. Depends on its arguments and nothing else."""


@runtime_checkable
class EitherWay(Protocol):
    """What a detector also is that claims the same of a text in a request as in an answer: then what it said of an
    answer is known when that comes back as history.
    """

    either_way: Literal[True]


@runtime_checkable
class OneByOne(Protocol):
    """What an expensive detector also is that reads one text after the other: what it said of the first ones stays said
    when time is up for the rest, and a second try goes on from there.
    """

    one_by_one: Literal[True]


@runtime_checkable
class Occasional(Protocol):
    """What an expensive detector also is that some inspections do without."""

    def takes_part(self, context: InspectionContext) -> bool:
        """Tell whether an inspection has any use for it."""


def reads_of(detector: Detector) -> Callable[[Segment, InspectionContext], bool]:
    """Return what tells whether a detector reads a segment: everything, if it does not choose."""
    return detector.reads if isinstance(detector, Selective) else _everything


def wants_of(detector: Detector) -> Wants | None:
    """Return what tells a detector's band, None if it has none."""
    return detector.wants if isinstance(detector, Sharpening) else None


def _everything(_segment: Segment, _context: InspectionContext) -> bool:
    return True
