"""All signatures over all readings, as the product runs them; of what they find, one category is looked at."""

from __future__ import annotations

from detectors.build import build_views
from detectors.rules import load_signatures
from detectors.signature_scan import SignatureScan
from detectors.types import Category, Direction, Hit, InspectionContext, Kind, Origin, Place, Segment
from tests.labelled.generate import HALVES, lines
from tests.labelled.score import Score, as_masked


class Finder:
    def __init__(self) -> None:
        self._scan, self._views = SignatureScan(load_signatures().of(Category)), build_views()

    def hits(self, text: str, category: Category) -> list[Hit]:
        segment = Segment(Direction.REQUEST, Origin.USER, Kind.TEXT, Place.VALUE, "/0", text)
        (found,) = self._scan.hits([self._views.build(segment).views], InspectionContext())
        return [hit for hit in found if hit.category is category]

    def scores(self, category: Category) -> dict[str, Score]:
        """Score both halves of a labelled set."""
        made = {half: Score() for half in HALVES}
        for line in lines(category):
            made[line.half].add(line, as_masked(self.hits(line.text, category)))
        return made
