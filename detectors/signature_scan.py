"""All signatures in one multi-pattern pass a reading; each match is then found again and validated."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from detectors.lexicon import NOTHING_ADDED, Lexicon
from detectors.matcher import Matcher
from detectors.national_ids import NATIONAL_IDS
from detectors.rules import MASKED, Signature, Status, build_matcher
from detectors.types import Hit, InspectionContext, Span, View

CHECKED_AT_MOST = 500  # matches of one signature in one reading; what is beyond counts as found, unchecked
PLACES_AT_MOST = 16  # of one attack in one reading; that there are more is told without a place, so that a mask stops
# A number plan takes ten times as long as a checksum, and a text with more than thirty of these shapes is a directory.
# One that is only named as a number is held against many plans, and the numbers of states are checked in pure Python.
_COSTLY = {"phone": 30, "phone_somewhere": 10, **dict.fromkeys(NATIONAL_IDS, 150)}


class SignatureScan:
    """Finds what signatures name. Experimental signatures report at most confidence 0.3, so they only flag.

    Several detectors ask for the same batch in turn, each for its own categories: the first pays for the pass.
    """

    def __init__(self, signatures: Sequence[Signature], revision: str = "") -> None:
        self.signatures, self.revision = tuple(signatures), revision
        self.ids = frozenset(signature.id for signature in signatures)
        self._folded = tuple(s for s in signatures if s.folded)
        self._as_is = tuple(s for s in signatures if not s.folded)
        with ThreadPoolExecutor(2) as both:  # what is not kept yet takes half a minute to compile, without the lock
            self._folded_matcher, self._as_is_matcher = both.map(build_matcher, (self._folded, self._as_is))

    def hits(self, batch: Sequence[Sequence[View]], context: InspectionContext) -> Sequence[tuple[Hit, ...]]:
        """Return the hits of every signature for each segment's views, in order."""
        known: tuple[object, Sequence[tuple[Hit, ...]]] | None = context.shared.get(self)
        if known is None or known[0] is not batch:
            known = context.shared[self] = (batch, [self._hits_of(views, context.lexicon) for views in batch])
        return known[1]

    def _hits_of(self, views: Sequence[View], lexicon: Lexicon | None) -> tuple[Hit, ...]:
        found: list[Hit] = []
        level = (lexicon or NOTHING_ADDED).level(views[0].segment.origin) if views else 0
        for view in views:
            folded = "folded" in view.transforms
            matcher = self._folded_matcher if folded else self._as_is_matcher
            for index in matcher.matching(view.text):
                signature = (self._folded if folded else self._as_is)[index]
                if signature.level <= level:
                    found.extend(_hits(view, signature, matcher, index))
        return _distinct(found) if found else ()


def _hits(view: View, signature: Signature, matcher: Matcher, index: int) -> Iterator[Hit]:
    if not signature.reads_origin(view.segment.origin) or not signature.reads_view(view):
        return
    experimental = signature.status is Status.EXPERIMENTAL
    confidence = min(signature.confidence, 0.3) if experimental else signature.confidence
    checked = _COSTLY.get(signature.validator or "", CHECKED_AT_MOST)
    masked = signature.category in MASKED
    told = 0
    for number, span in enumerate(matcher.spans(index, view.text)):
        # A check costs microseconds; a text made of nothing but candidates must not buy seconds with them.
        if number < checked and not signature.accepts(view.text, span):
            continue
        place = view.to_source(span) if masked or told < PLACES_AT_MOST else None
        told += 1
        yield Hit(
            rule_id=signature.id,
            kind=signature.kind,
            category=signature.category,
            severity=signature.severity,
            confidence=confidence,
            span=place,
            transforms=view.transforms,
            message=signature.title,
            tags=signature.tags,
            level=signature.level,
        )
        if place is None:
            return


def _distinct(hits: Iterable[Hit]) -> tuple[Hit, ...]:
    """One hit for each rule and place, however many readings showed it; the plainest reading is kept."""
    kept: dict[tuple[str, Span | None], Hit] = {}
    for hit in hits:
        kept.setdefault((hit.rule_id, hit.span), hit)
    return tuple(kept.values())
