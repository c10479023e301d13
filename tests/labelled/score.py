"""How well what was found agrees with what is labelled: by kind and exact place, as a mask would show it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from detectors.types import Hit, Span
from tests.labelled.generate import Label, Line


@dataclass(slots=True)
class Score:
    """Counts of labels: right (kind and place), missed, and what was found beside them, by kind."""

    right: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    negatives: int = 0
    flagged: int = 0
    lines: int = 0

    @property
    def precision(self) -> float:
        return _share(self.right.total(), self.wrong.total())

    @property
    def recall(self) -> float:
        return _share(self.right.total(), self.missed.total())

    @property
    def f1(self) -> float:
        together = self.precision + self.recall
        return 2 * self.precision * self.recall / together if together else 0.0

    def add(self, line: Line, found: Iterable[Label]) -> None:
        expected, shown = set(line.labels), set(found)
        self.lines += 1
        self.right.update(label.kind for label in expected & shown)
        self.missed.update(label.kind for label in expected - shown)
        self.wrong.update(label.kind for label in shown - expected)
        if not line.labels:
            self.negatives += 1
            self.flagged += bool(shown)


def _share(part: int, rest: int) -> float:
    return part / (part + rest) if part else 0.0


def as_masked(hits: Sequence[Hit]) -> list[Label]:
    """Unite overlapping hits, as edits are: the longest says the kind, of equal ones the most confident."""
    united: list[tuple[int, Label]] = []
    placed = [(hit.span, hit) for hit in hits if hit.span is not None]
    for span, hit in sorted(placed, key=lambda each: (each[0].start, -each[0].end, -each[1].confidence)):
        size = span.end - span.start
        if united and united[-1][1].span.overlaps(span):
            longest, last = united[-1]
            kind = hit.kind if size > longest else last.kind
            united[-1] = (max(size, longest), Label(kind, last.span.union(span)))
        else:
            united.append((size, Label(hit.kind, Span(span.start, span.end))))
    return [label for _, label in united]
