"""Detectors that say which segments they read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from detectors.types import Detector, InspectionContext, Segment


@runtime_checkable
class Selective(Protocol):
    """What a detector also is whose hits are not remembered, so that others' memory is of use all the same: what it
    does not read costs no readings.
    """

    def reads(self, segment: Segment, context: InspectionContext) -> bool:
        """Tell whether anything may be found there."""


def reads_of(detector: Detector) -> Callable[[Segment, InspectionContext], bool]:
    """Return what tells whether a detector reads a segment: everything, if it does not choose."""
    return detector.reads if isinstance(detector, Selective) else _everything


def _everything(_segment: Segment, _context: InspectionContext) -> bool:
    return True
