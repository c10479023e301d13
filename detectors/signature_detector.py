"""A detector over signatures of some categories: one multi-pattern pass a reading, then each match is validated."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from detectors.matcher import Matcher
from detectors.rules import RuleSet, Signature, Status, build_matcher
from detectors.types import Category, Detector, Hit, InspectionContext, Span, Stage, View

CHECKED_AT_MOST = 500  # matches of one signature in one reading; what is beyond counts as found, unchecked


class SignatureDetector:
    """Finds what signatures name. Experimental signatures report at most confidence 0.3, so they only flag."""

    stage = Stage.PATTERN
    required = True
    cacheable = True

    def __init__(self, name: str, signatures: Sequence[Signature], revision: str) -> None:
        self.name, self.revision = name, revision
        self._folded = tuple(s for s in signatures if s.folded)
        self._as_is = tuple(s for s in signatures if not s.folded)
        self._folded_matcher, self._as_is_matcher = build_matcher(self._folded), build_matcher(self._as_is)

    async def inspect(self, batch: Sequence[Sequence[View]], context: InspectionContext) -> Sequence[Sequence[Hit]]:
        return [self._hits_of(views) for views in batch]

    def _hits_of(self, views: Sequence[View]) -> tuple[Hit, ...]:
        found: list[Hit] = []
        for view in views:
            folded = "folded" in view.transforms
            matcher = self._folded_matcher if folded else self._as_is_matcher
            for index in matcher.matching(view.text):
                found.extend(self._hits(view, (self._folded if folded else self._as_is)[index], matcher, index))
        return _distinct(found) if found else ()

    def _hits(self, view: View, signature: Signature, matcher: Matcher, index: int) -> Iterator[Hit]:
        if not signature.reads_origin(view.segment.origin) or not signature.reads_view(view):
            return
        for number, span in enumerate(matcher.spans(index, view.text)):
            # A check costs microseconds; a text made of nothing but candidates must not buy seconds with them.
            if number >= CHECKED_AT_MOST or signature.accepts(view.text[span.start : span.end]):
                yield _hit(signature, view, span)


def _hit(signature: Signature, view: View, span: Span) -> Hit:
    experimental = signature.status is Status.EXPERIMENTAL
    return Hit(
        rule_id=signature.id,
        kind=signature.kind,
        category=signature.category,
        severity=signature.severity,
        confidence=min(signature.confidence, 0.3) if experimental else signature.confidence,
        span=view.to_source(span),
        transforms=view.transforms,
        message=signature.title,
        tags=signature.tags,
    )


def _distinct(hits: Iterable[Hit]) -> tuple[Hit, ...]:
    """One hit for each rule and place, however many readings showed it; the plainest reading is kept."""
    kept: dict[tuple[str, Span | None], Hit] = {}
    for hit in hits:
        kept.setdefault((hit.rule_id, hit.span), hit)
    return tuple(kept.values())


@dataclass(frozen=True, slots=True)
class SignatureDetectorFactory:
    """How a plug-in module asks for a signature detector over its categories."""

    name: str
    categories: frozenset[Category]

    def build(self, rules: RuleSet) -> Detector:
        return SignatureDetector(self.name, rules.of(self.categories), rules.revision)
