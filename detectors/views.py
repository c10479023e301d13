"""The readings of a segment: as it is, cleaned, folded, and decoded again and again, bounded in work."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from detectors.decoding import Aligned, Decoder, Run, RunOffsets
from detectors.frozen import statically_frozen
from detectors.matcher import Matcher, Pattern
from detectors.normalise import FoldOffsets, clean, fold, skeleton
from detectors.types import Kind, Offsets, Segment, Span, View

MAX_DEPTH = 4
MAX_VIEWS = 64
READINGS = 3  # views of one text at most: as it is, folded, skeleton
MAX_DECODED = 1 << 20  # characters, and at most four times the input
SMALL = 4096  # an input below a quarter of this may still be decoded this far


@statically_frozen
@dataclass(frozen=True, slots=True)
class Lattice:
    """All readings of one segment. `exhausted`: a bound was reached, so there was more to decode than was read."""

    views: tuple[View, ...]
    exhausted: bool


@dataclass(slots=True)
class _Budget:
    decoded: int
    exhausted: bool = False

    def spend(self, size: int) -> bool:
        """Pay for one more decoded text of `size` characters, or note that the budget is used up."""
        if size > self.decoded:
            self.exhausted = True
            return False
        self.decoded -= size
        return True


@statically_frozen
@dataclass(frozen=True, slots=True)
class _Exact:
    """A text that may still hold an encoding: its transforms so far, and how it maps back."""

    text: str
    transforms: tuple[str, ...]
    offsets: Offsets | None
    depth: int


class ViewBuilder:
    """Builds lattices with a set of decoders, whose gates are one matcher: most text is gated in one pass."""

    def __init__(self, decoders: Sequence[Decoder]) -> None:
        self._decoders = tuple(decoders)
        self._gates = Matcher([Pattern(decoder.gate) for decoder in decoders])

    def build(self, segment: Segment) -> Lattice:
        """Return every reading within the bounds: depth 4, 64 views, decoded text at most 4x the input and 1 MiB."""
        start = _Exact(segment.text, (), None, 0)
        if segment.kind is not Kind.SEAM and _cleaned(start) is None and not self._gates.matching(segment.text):
            return Lattice(_plain_readings(segment, start), False)  # ordinary text: nothing hidden, nothing encoded
        budget = _Budget(decoded=min(max(4 * len(segment.text), SMALL), MAX_DECODED))
        views: list[View] = []
        seen = {segment.text}
        queue = deque(_starting_points(segment))
        while queue and len(views) <= MAX_VIEWS - READINGS:
            exact = queue.popleft()
            cleaned = _cleaned(exact)
            if cleaned is None:
                views.extend(_plain_readings(segment, exact))
            else:
                views.append(View(segment, exact.text, exact.transforms, exact.offsets))
                if cleaned.text not in seen:
                    seen.add(cleaned.text)
                    queue.append(cleaned)
            queue.extend(self._decode(exact, budget, seen))
        return Lattice(tuple(views), budget.exhausted or bool(queue))

    def _decode(self, exact: _Exact, budget: _Budget, seen: set[str]) -> Iterator[_Exact]:
        for index in self._gates.matching(exact.text):
            decoder = self._decoders[index]
            runs = list(decoder.decode(exact.text))
            joined = "\n".join(run.text for run in runs)
            if not joined or joined in seen:
                continue
            if exact.depth >= MAX_DEPTH:
                budget.exhausted = True
            elif budget.spend(len(joined)):
                seen.add(joined)
                offsets = RunOffsets(runs, exact.offsets, gap=1)
                yield _Exact(joined, (*exact.transforms, decoder.name), offsets, exact.depth + 1)


def _starting_points(segment: Segment) -> Iterator[_Exact]:
    yield _Exact(segment.text, (), None, 0)
    if segment.kind is Kind.SEAM:
        # A text may have been cut between words or within one: the joint reads as a line end and as nothing.
        yield _without_joints(segment)


def _without_joints(segment: Segment) -> _Exact:
    edges = [0, *(joint + 1 for joint in segment.joints)]
    ends = [*segment.joints, len(segment.text)]
    runs = [Run(Span(a, b), segment.text[a:b], Aligned()) for a, b in zip(edges, ends, strict=True)]
    return _Exact("".join(run.text for run in runs), ("joined",), RunOffsets(runs, None, gap=0), 0)


def _cleaned(exact: _Exact) -> _Exact | None:
    """Return the text without what is invisible, if that changes it; it is then read and decoded in its own right."""
    if exact.text.isascii() and exact.text.isprintable():
        return None
    text = clean(exact.text)
    if text == exact.text:
        return None
    offsets = FoldOffsets(exact.text, collapse=False, below=exact.offsets)
    return _Exact(text, (*exact.transforms, "cleaned"), offsets, exact.depth)


def _plain_readings(segment: Segment, exact: _Exact) -> tuple[View, ...]:
    """Return a text as it is, folded, and with lookalikes replaced where there are any."""
    folded = fold(exact.text)
    offsets = FoldOffsets(exact.text, collapse=True, below=exact.offsets)
    as_is = View(segment, exact.text, exact.transforms, exact.offsets)
    plain = View(segment, folded, (*exact.transforms, "folded"), offsets)
    bare = folded if folded.isascii() else skeleton(exact.text)
    if bare == folded:
        return as_is, plain
    return as_is, plain, View(segment, bare, (*exact.transforms, "folded", "skeleton"), offsets)
