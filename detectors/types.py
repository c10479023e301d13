"""The words of detection: what is read (Segment, View) and what is claimed about it (Hit, Finding, DetectorRun)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from detectors.frozen import statically_frozen
from detectors.words import (
    ATTACK,
    LEAST_TRUSTED_FIRST,
    PHRASES,
    Category,
    Direction,
    Kind,
    Origin,
    Place,
    RunStatus,
    Severity,
    Stage,
    Unscanned,
)

if TYPE_CHECKING:  # what a guard is made of speaks these words
    from detectors.guard import Guard
    from detectors.judges.judging import Judging
    from detectors.lexicon import Lexicon

CANARY_RULE: Final = "PS-LEAK-101"  # which policies mask whatever else they say: a canary that is told is none any more

# Words of the next room that everybody says together with these.
__all__ = [
    "ATTACK",
    "LEAST_TRUSTED_FIRST",
    "PHRASES",
    "Category",
    "Direction",
    "Kind",
    "Origin",
    "Place",
    "RunStatus",
    "Severity",
    "Stage",
    "Unscanned",
]


@statically_frozen
@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Half-open range of characters, `start <= i < end`."""

    start: int
    end: int

    def overlaps(self, other: Span) -> bool:
        return self.start < other.end and other.start < self.end

    def union(self, other: Span) -> Span:
        return Span(min(self.start, other.start), max(self.end, other.end))

    def shift(self, by: int) -> Span:
        return Span(self.start + by, self.end + by)


@statically_frozen
@dataclass(frozen=True, slots=True)
class Segment:
    """One addressed piece of text.

    `pointer` is the RFC 6901 JSON Pointer of the value (or of the key's value, with place KEY).
    `joints` is empty except for a seam, where it holds the offsets in `text` at which two parts meet.
    """

    direction: Direction
    origin: Origin
    kind: Kind
    place: Place
    pointer: str
    text: str
    joints: tuple[int, ...] = ()


class Offsets(Protocol):
    """Maps a span of a view's text back to the segment's text."""

    def to_source(self, span: Span) -> Span: ...


@statically_frozen
@dataclass(frozen=True, slots=True)
class View:
    """One reading of a segment. `transforms` names what was done to the text, in order; `offsets` is None for as-is."""

    segment: Segment
    text: str
    transforms: tuple[str, ...]
    offsets: Offsets | None

    def to_source(self, span: Span) -> Span:
        return span if self.offsets is None else self.offsets.to_source(span)


@statically_frozen
@dataclass(frozen=True, slots=True)
class Hit:
    """One detector's claim about one segment, never holding the matched text.

    `kind` names what was found (`EMAIL`, `AWS_ACCESS_KEY`, `INSTRUCTION_OVERRIDE`); `confidence` is 0-1;
    `span` is in the segment's own text, or None where the claim has no place.
    """

    rule_id: str
    kind: str
    category: Category
    severity: Severity
    confidence: float
    span: Span | None
    transforms: tuple[str, ...]
    message: str
    tags: tuple[str, ...] = ()
    level: int = 1  # of the signature: 1 is silent on ordinary text, 4 hunts


@statically_frozen
@dataclass(frozen=True, slots=True)
class SegmentRef:
    """Where a finding is, without its text. `content` is a keyed hash of the text (hex), empty if no key was given."""

    direction: Direction
    origin: Origin
    kind: Kind
    place: Place
    pointer: str
    content: str


@statically_frozen
@dataclass(frozen=True, slots=True)
class Finding:
    """A hit anchored to its segment."""

    hit: Hit
    segment: SegmentRef
    detector: str


@statically_frozen
@dataclass(frozen=True, slots=True)
class DetectorRun:
    """One detector's account over one batch of segments: `seconds` of wall time, `reason` of a skip or failure, and
    how many of the segments it was not asked about (`left_out`), because they were decided without it.
    """

    detector: str
    stage: Stage
    required: bool
    status: RunStatus
    hits: int
    confidence: float
    seconds: float
    reason: str = ""
    left_out: int = 0


@statically_frozen
@dataclass(frozen=True, slots=True)
class Coverage:
    """The receipt of one direction: segments scanned, known from the cache, skipped by rule, unscannable."""

    scanned: int = 0
    cached: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    unscanned: Mapping[Unscanned, int] = field(default_factory=dict)


@statically_frozen
@dataclass(frozen=True, slots=True)
class InspectionContext:
    """What a detector may know beside the views: whose traffic this is (nobody's: the command line), what an answer is
    held against, what the policy adds to what is looked for, who judges (nobody without `judging`), and what detectors
    of one inspection leave for each other.
    """

    tenant_id: int | None = None
    guard: Guard | None = None
    lexicon: Lexicon | None = None
    shared: dict[object, Any] = field(default_factory=dict)
    judging: Judging | None = None


class Detector(Protocol):
    """A thing that finds. A cacheable detector sees one segment's views and nothing else."""

    @property
    def name(self) -> str: ...
    @property
    def stage(self) -> Stage: ...
    @property
    def required(self) -> bool: ...
    @property
    def cacheable(self) -> bool: ...
    @property
    def revision(self) -> str:
        """Changes whenever the same text could give other hits; part of every cache key."""

    async def inspect(self, batch: Sequence[Sequence[View]], context: InspectionContext) -> Sequence[Sequence[Hit]]:
        """Return one sequence of hits for each segment's views, in order. Raises DetectorError."""
