"""The segments of one inspection, and what is known of each so far."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from detectors.digests import Digests
from detectors.frozen import statically_frozen
from detectors.plan import Plan
from detectors.rules import MASKED
from detectors.seams import Seam
from detectors.selective import LEANING
from detectors.types import (
    Coverage,
    Direction,
    Finding,
    Hit,
    Kind,
    Segment,
    SegmentRef,
    Span,
    Stage,
    Unscanned,
)
from detectors.views import Lattice, ViewBuilder

MAX_TEXT = 4 << 20  # characters of one segment; what is longer is `unscanned: oversize`


@statically_frozen
@dataclass(frozen=True, slots=True)
class StageHits:
    """What one stage found in one text, free of pointers: hits by detector (those that found any), and whether
    decoding ran out of budget.
    """

    hits: Mapping[str, tuple[Hit, ...]]
    exhausted: bool = False


_NOTHING: Final = StageHits({})


def stage_hits(found: Mapping[str, tuple[Hit, ...]], *, exhausted: bool) -> StageHits:
    """Return what a stage found; of nothing, what nearly every text has, there is but one."""
    return StageHits(found, exhausted) if found or exhausted else _NOTHING


class Batch:
    """The segments of one inspection with what is known of each so far."""

    def __init__(
        self,
        segments: Sequence[Segment],
        views: ViewBuilder,
        content_key: bytes,
        digests: Digests | None,
        judged_by: bytes = b"",
    ) -> None:
        self.segments = segments
        self.inspectable = [i for i, s in enumerate(segments) if isinstance(s, Seam) or len(s.text) <= MAX_TEXT]
        self.looked: set[int] = set()  # read anew by detectors whose hits are remembered
        self.told: dict[bytes, int] = {}  # by a step's mark: of how many segments the engine has told
        self.said: list[tuple[Plan, Mapping[int, StageHits]]] = []  # what whole steps have said, to be told to others
        self.overheard: set[int] = set()  # asked about by another process, and known from there
        self.unseen = 0  # how many segments the last stage had to read anew
        self.keyed = digests is not None  # whether anything of this inspection may be remembered
        self._content_key, self._hashing, self._judged_by = content_key, digests, judged_by
        self._digests: Sequence[bytes] = ()
        self._keys: tuple[Plan | None, Sequence[bytes]] = (None, ())
        self._recalled: set[int] = set()
        self._views = views
        self._lattices: dict[int, Lattice] = {}
        self._found: dict[int, list[StageHits]] = {}  # of those segments in which anything was found
        self._exhausted: set[int] = set()

    def lattice(self, index: int) -> Lattice:
        if index not in self._lattices:
            self._lattices[index] = self._views.build(self.segments[index])
        return self._lattices[index]

    def keys(self, plan: Plan) -> Sequence[bytes]:
        """Return what a stage's hits in each segment are remembered by: the text's digest, which is made once for all
        stages, the stage's own mark, and for judges who they are and what they see.
        """
        known, keys = self._keys
        if known is not plan:
            if self._hashing is not None and not self._digests:
                self._digests = self._hashing.of(self.segments)
            asked, answered = plan.marks()
            if plan.stage is Stage.JUDGE:
                asked, answered = asked + self._judged_by, answered + self._judged_by
            if asked == answered:
                keys = [digest + asked for digest in self._digests]
            else:
                marks = [asked if s.direction is Direction.REQUEST else answered for s in self.segments]
                keys = [digest + mark for digest, mark in zip(self._digests, marks, strict=True)]
            self._keys = plan, keys
        return keys

    def recall(self, indexes: Sequence[int], known: Sequence[StageHits | None]) -> list[int]:
        """Take in what a stage said of segments before; return those of which nothing is known."""
        unseen: list[int] = []
        for index, found in zip(indexes, known, strict=True):
            if found is None:
                unseen.append(index)
            elif found is not _NOTHING:
                self.add(index, found)
        if not unseen:
            self._recalled.update(indexes)
        elif len(unseen) < len(indexes):
            self._recalled.update(set(indexes).difference(unseen))
        return unseen

    @property
    def claimed(self) -> Sequence[int]:
        """The segments about which anything is claimed so far, in order."""
        return sorted(self._found)

    def claims(self, index: int) -> Sequence[tuple[str, Hit]]:
        """Return what is claimed about a segment so far, by detector; of a seam, what no part shows by itself."""
        found = self._found.get(index)
        if found is None:
            return ()
        claims = [(name, hit) for stage in found for name, hits in stage.hits.items() for hit in hits]
        segment = self.segments[index]
        if segment.kind is not Kind.SEAM:
            return claims
        crossing = ((name, _without_span(hit)) for name, hit in _only_here(claims, segment.joints))
        return list(dict.fromkeys(crossing))  # without their places, many are the same

    def hits(self, index: int) -> Sequence[Hit]:
        """Return all hits in a segment so far, in its own places: of a seam also those that a part reports."""
        return [hit for stage in self._found.get(index, ()) for hits in stage.hits.values() for hit in hits]

    def add(self, index: int, found: StageHits) -> None:
        if found.hits:
            self._found.setdefault(index, []).append(found)
        if found.exhausted:
            self._exhausted.add(index)

    def findings(self) -> list[Finding]:
        anchored: list[Finding] = []
        if not self._found:
            return anchored
        for index in self.claimed:
            claims = [claim for claim in self.claims(index) if claim[1].confidence >= LEANING]
            if claims:
                ref = reference(self.segments[index], self._content_key)
                anchored += [Finding(hit, ref, name) for name, hit in claims]
        return [*anchored, *self._led_up_to()]

    def _led_up_to(self) -> Iterator[Finding]:
        """Yield what lies in one part of a seam and is known for what it is by what stands before that part: a password
        behind "password: ". It has its place there, as if the part showed it by itself.
        """
        led: dict[tuple[int, str, Span], Finding] = {}
        indexes: dict[int, int] = {}
        shown: dict[int, tuple[Sequence[Hit], set[tuple[str, Span | None]]]] = {}
        for seam, name, hit in self._in_seams():
            found = None if hit.span is None or hit.confidence < LEANING else seam.within(hit.span)
            if found is None or found[0].origin is not seam.origin:  # others are read by other rules
                continue
            indexes = indexes or {id(segment): index for index, segment in enumerate(self.segments)}
            part, span = found
            index = indexes.get(id(part))
            if index is None:  # a part that is not read here
                continue
            if index not in shown:
                hits = self.hits(index)
                shown[index] = hits, {(own.rule_id, own.span) for own in hits}
            hits, known = shown[index]  # nearly all is known as it is
            if (hit.rule_id, span) not in known and not any(_overlap(own, hit, span) for own in hits):
                ref = reference(part, self._content_key)
                led.setdefault((index, hit.rule_id, span), Finding(replace(hit, span=span), ref, name))
        yield from led.values()

    def _in_seams(self) -> Iterator[tuple[Seam, str, Hit]]:
        """Yield what of a seam could be cut out of a text, with who found it."""
        for index in self.claimed:
            segment = self.segments[index]
            if isinstance(segment, Seam):
                for stage in self._found[index]:
                    for name, hits in stage.hits.items():
                        yield from ((segment, name, hit) for hit in hits if hit.category in MASKED)

    def coverage(self, left_out: Coverage) -> Coverage:
        """Return the receipt: these segments, and what was left out before."""
        unscanned = dict(left_out.unscanned)
        oversize = len(self.segments) - len(self.inspectable)
        if oversize:
            unscanned[Unscanned.OVERSIZE] = unscanned.get(Unscanned.OVERSIZE, 0) + oversize
        if self._exhausted:
            unscanned[Unscanned.DECODE_BUDGET] = len(self._exhausted)
        cached = len(self._recalled - self.looked) if self._recalled else 0
        return Coverage(len(self.inspectable) - cached, cached, left_out.skipped, unscanned)


def reference(segment: Segment, content_key: bytes) -> SegmentRef:
    """Return where a segment is, with the keyed hash of its text that exclusions name."""
    content = ""
    if content_key:
        text = segment.text.encode("utf-8", "surrogatepass")
        content = hashlib.blake2b(text, key=content_key, digest_size=16).hexdigest()
    return SegmentRef(segment.direction, segment.origin, segment.kind, segment.place, segment.pointer, content)


def _only_here(claims: Sequence[tuple[str, Hit]], joints: Sequence[int]) -> Iterator[tuple[str, Hit]]:
    """Yield what no part of a seam shows by itself: not what lies inside one, nor what merely reads on from there."""
    crossing = [claim for claim in claims if _crosses(claim[1], joints)]
    if not crossing:
        return
    inside = [hit for _, hit in claims if not _crosses(hit, joints)]
    known = {edge for hit in inside for edge in _edges(hit)}
    borders = {*joints, *(joint + 1 for joint in joints)}
    whole = [hit for hit in inside if hit.span is not None and {hit.span.start, hit.span.end} <= borders]
    # An address at the end of a text and the first word of the next one may look like a longer address, and so may one
    # that is a text of its own, with a word from either side.
    for name, hit in crossing:
        if known.isdisjoint(_edges(hit)) and not any(_contains(hit, part) for part in whole):
            yield name, hit


def _overlap(own: Hit, hit: Hit, span: Span) -> bool:
    """Tell whether a part's own finding is of what was found there."""
    return own.category is hit.category and (own.span is None or own.span.overlaps(span))


def _contains(hit: Hit, part: Hit) -> bool:
    return (
        hit.rule_id == part.rule_id
        and hit.span is not None
        and part.span is not None
        and hit.span.start <= part.span.start
        and part.span.end <= hit.span.end
    )


def _edges(hit: Hit) -> tuple[tuple[str, str, int], ...]:
    span = hit.span
    return () if span is None else ((hit.rule_id, "start", span.start), (hit.rule_id, "end", span.end))


def _crosses(hit: Hit, joints: Sequence[int]) -> bool:
    """What lies inside one part of a seam is reported by that part only."""
    if hit.span is None:
        return True
    after = bisect_right(joints, hit.span.start)
    return after < len(joints) and joints[after] < hit.span.end


def _without_span(hit: Hit) -> Hit:
    return replace(hit, span=None)
