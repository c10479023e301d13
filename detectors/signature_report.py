"""What each signature is good for: how many attacks it finds, how many of them alone, and what it flags wrongly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from detectors.lexicon import Lexicon
from detectors.rules import Signature
from detectors.signature_scan import SignatureScan
from detectors.types import Direction, InspectionContext, Kind, Origin, Place, Segment
from detectors.views import ViewBuilder

_EVERY_LEVEL = Lexicon(dict.fromkeys(Origin, 4))


@dataclass(frozen=True, slots=True)
class LabelledText:
    """A text by one origin, and whether it is an attack."""

    text: str
    origin: Origin
    attack: bool


@dataclass(frozen=True, slots=True)
class Worth:
    """Of one signature: attacks found, those that no other signature found, and benign texts flagged."""

    signature: Signature
    found: int
    alone: int
    wrong: int

    @property
    def idle(self) -> bool:
        return self.alone == 0


@dataclass(frozen=True, slots=True)
class Report:
    """`attacks` and `benign` are how many texts there were, `caught` and `flagged` in how many anything was found."""

    worths: tuple[Worth, ...]
    attacks: int
    caught: int
    benign: int
    flagged: int


def report_of(signatures: Sequence[Signature], texts: Iterable[LabelledText], views: ViewBuilder) -> Report:
    """Hold signatures, at every level, against labelled texts."""
    scan, context = SignatureScan(signatures), InspectionContext(lexicon=_EVERY_LEVEL)
    found, alone, wrong = Counter[str](), Counter[str](), Counter[str]()
    attacks = caught = benign = flagged = 0
    for item in texts:
        segment = Segment(Direction.REQUEST, item.origin, Kind.TEXT, Place.VALUE, "", item.text)
        context.shared.clear()
        rules = {hit.rule_id for hit in scan.hits([views.build(segment).views], context)[0]}
        if item.attack:
            attacks, caught = attacks + 1, caught + bool(rules)
            found.update(rules)
            alone.update(rules if len(rules) == 1 else ())
        else:
            benign, flagged = benign + 1, flagged + bool(rules)
            wrong.update(rules)
    worths = (Worth(s, found[s.id], alone[s.id], wrong[s.id]) for s in signatures)
    return Report(tuple(worths), attacks, caught, benign, flagged)
