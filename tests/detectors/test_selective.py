"""Who reads what: everything, unless a detector chooses."""

from __future__ import annotations

from detectors.build import build_detectors
from detectors.rules import load_signatures
from detectors.selective import reads_of
from detectors.types import Direction, InspectionContext, Kind, Origin, Place, Segment


def test_a_detector_reads_everything_unless_it_chooses() -> None:
    question = Segment(Direction.REQUEST, Origin.USER, Kind.TEXT, Place.VALUE, "/0", "words")
    reading = {d.name for d in build_detectors(load_signatures()) if reads_of(d)(question, InspectionContext())}

    assert reading >= {"credentials", "pii"}
    assert "leakage" not in reading  # it reads answers
