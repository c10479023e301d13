"""The readings of a segment: as it is, cleaned, folded, and decoded again and again, bounded in work."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from detectors.decoding import Aligned, Decoder, Run, RunOffsets, stretches
from detectors.frozen import statically_frozen
from detectors.matcher import Matcher
from detectors.normalise import FoldOffsets, alphabet_of, clean, fold, skeleton
from detectors.pattern import Pattern
from detectors.types import Kind, Offsets, Origin, Segment, Span, View

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
    """Builds lattices with a set of decoders, whose gates are one matcher: most text is gated in one pass.

    `store` is where the compiled gates are kept.
    """

    def __init__(self, decoders: Sequence[Decoder], store: Path | None = None) -> None:
        self._decoders = tuple(decoders)
        self.gates = tuple(decoder.gate for decoder in decoders if decoder.answers)  # for what is streamed
        self._gates = Matcher([Pattern(decoder.gate) for decoder in decoders], store=store)

    def build(self, segment: Segment) -> Lattice:
        """Return every reading within the bounds: depth 4, 64 views, decoded text at most 4x the input and 1 MiB."""
        start = _Exact(segment.text, (), None, 0)
        alphabet = alphabet_of(segment.text)
        if (
            segment.kind is not Kind.SEAM
            and _cleaned(start, alphabet) is None
            and not self._gates.matching(segment.text)
        ):
            return Lattice(_plain_readings(segment, start, alphabet), False)  # nothing hidden, nothing encoded
        answered = segment.origin is Origin.ASSISTANT
        budget = _Budget(decoded=min(max(4 * len(segment.text), SMALL), MAX_DECODED))
        views: list[View] = []
        seen = {segment.text}
        queue = deque(_starting_points(segment))
        while queue and len(views) <= MAX_VIEWS - READINGS:
            exact = queue.popleft()
            alphabet = alphabet_of(exact.text)
            cleaned = _cleaned(exact, alphabet)
            if cleaned is None:
                views.extend(_plain_readings(segment, exact, alphabet))
            else:
                views.append(View(segment, exact.text, exact.transforms, exact.offsets))
                if cleaned.text not in seen:
                    seen.add(cleaned.text)
                    queue.append(cleaned)
            for decoded in self._decode(exact, budget, seen, raw=cleaned is not None, answered=answered):
                if decoded.text not in seen:
                    seen.add(decoded.text)
                    queue.append(decoded)
                elif len(views) <= MAX_VIEWS - READINGS:  # said in a second place, which a mask must know, too
                    views.extend(_plain_readings(segment, decoded, alphabet_of(decoded.text)))
                else:
                    budget.exhausted = True
        return Lattice(tuple(views), budget.exhausted or bool(queue))

    def _decode(self, exact: _Exact, budget: _Budget, seen: set[str], *, raw: bool, answered: bool) -> Iterator[_Exact]:
        for step in self._steps(exact, raw, answered):
            decoded = _through(step, exact, budget)
            # Deeper down, what was seen is mostly the same place by another way.
            if decoded is exact or (decoded.text in seen and exact.depth > 0):
                continue
            if exact.depth >= MAX_DEPTH:
                budget.exhausted = True
            elif budget.spend(len(decoded.text)):
                yield decoded

    def _steps(self, exact: _Exact, raw: bool, answered: bool) -> Sequence[Sequence[Decoder]]:
        """Return the decoders whose gates a text passes: those that rewrite make one step, each other one its own.

        Rewriting in every order would read a page with escapes of four kinds fifteen times over. Of a `raw` text, which
        is also cleaned and then decoded, only what cleaning takes away is read.
        """
        passed = [self._decoders[index] for index in self._gates.matching(exact.text)]
        passed = [decoder for decoder in passed if not (decoder.once and exact.transforms[-1:] == (decoder.name,))]
        passed = [decoder for decoder in passed if decoder.answers or not answered]
        if raw:
            return [[decoder] for decoder in passed if decoder.raw]
        rewriting = [decoder for decoder in passed if decoder.rewrites]
        apart = [[decoder] for decoder in passed if not decoder.rewrites]
        return [rewriting, *apart] if rewriting else apart


def _through(step: Sequence[Decoder], exact: _Exact, budget: _Budget) -> _Exact:
    """Return what a text says behind the decoders of a step, one after the other; itself if they find nothing."""
    made = exact
    for decoder in sorted(step, key=lambda decoder: decoder.marks is not None):
        if decoder.marks is not None and made is exact:
            made = _around_marks(step, exact)
        runs = list(decoder.decode(made.text))
        budget.exhausted |= any(run.cut for run in runs)
        joined = "\n".join(run.text for run in runs)
        if joined and joined != made.text:
            offsets = RunOffsets(runs, made.offsets, gap=1)
            made = _Exact(joined, (*made.transforms, decoder.name), offsets, exact.depth + 1)
    return exact if made.transforms == exact.transforms else made


def _around_marks(step: Sequence[Decoder], exact: _Exact) -> _Exact:
    """Return the parts of a text that have any marks of a step in them or near."""
    parts = stretches(exact.text, *(decoder.marks for decoder in step if decoder.marks is not None))
    runs = [Run(part, exact.text[part.start : part.end], Aligned()) for part in parts]
    offsets = RunOffsets(runs, exact.offsets, gap=1)
    return _Exact("\n".join(run.text for run in runs), exact.transforms, offsets, exact.depth)


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


def _cleaned(exact: _Exact, alphabet: AbstractSet[str] | None) -> _Exact | None:
    """Return the text without what is invisible, if that changes it; it is then read and decoded in its own right."""
    if exact.text.isascii() and exact.text.isprintable():
        return None
    text = clean(exact.text, alphabet)
    if text == exact.text:
        return None
    offsets = FoldOffsets(exact.text, collapse=False, below=exact.offsets)
    return _Exact(text, (*exact.transforms, "cleaned"), offsets, exact.depth)


def _plain_readings(segment: Segment, exact: _Exact, alphabet: AbstractSet[str] | None) -> tuple[View, ...]:
    """Return a text as it is, folded, and with lookalikes replaced where there are any."""
    folded = fold(exact.text, alphabet)
    offsets = FoldOffsets(exact.text, collapse=True, below=exact.offsets)
    as_is = View(segment, exact.text, exact.transforms, exact.offsets)
    plain = View(segment, folded, (*exact.transforms, "folded"), offsets)
    bare = folded if folded.isascii() else skeleton(exact.text, alphabet)
    if bare == folded:
        return as_is, plain
    return as_is, plain, View(segment, bare, (*exact.transforms, "folded", "skeleton"), offsets)
