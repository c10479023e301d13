"""Answers that say the system prompt: the canary that was put behind it, or a long run of its words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from detectors.canary import canary_places
from detectors.guard import Guard
from detectors.rules import RuleSet
from detectors.signature_scan import SignatureScan
from detectors.types import (
    CANARY_RULE,
    Category,
    Detector,
    Direction,
    Hit,
    InspectionContext,
    Origin,
    Segment,
    Severity,
    Span,
    Stage,
    View,
)

_QUOTE_RULE: Final = "PS-LEAK-102"
_TAGS: Final = ("owasp.llm07", "mitre.atlas.aml.t0056")
_MOST_PLACES: Final = 256  # of one text; beyond them the claim has no place, so that a mask stops the answer
# What providers repeat of a request quotes it, of course.
_NOT_THE_MODEL: Final = frozenset({Origin.SYSTEM, Origin.TOOL_DEFINITION})


class LeakageDetector:
    """Reads every folded reading of an answer, decoded ones among them, against the exchange's guard."""

    name = "leakage"
    stage = Stage.PATTERN
    required = True
    cacheable = False
    revision = "1"
    rule_ids = (CANARY_RULE, _QUOTE_RULE)

    def build(self, rules: RuleSet, scan: SignatureScan) -> Detector:
        return self

    def reads(self, segment: Segment, context: InspectionContext) -> bool:
        guard = context.guard
        if guard is None or segment.direction is not Direction.RESPONSE:
            return False
        return bool(guard.canary) or (guard.prompt is not None and segment.origin not in _NOT_THE_MODEL)

    async def inspect(self, batch: Sequence[Sequence[View]], context: InspectionContext) -> Sequence[Sequence[Hit]]:
        guard = context.guard
        return [() if guard is None else _bounded(views, guard) for views in batch]


def _bounded(views: Sequence[View], guard: Guard) -> tuple[Hit, ...]:
    """Return one hit for each rule and place; the plainest reading is kept."""
    kept: dict[tuple[str, Span | None], Hit] = {}
    for view in views:
        if "folded" not in view.transforms:
            continue
        for hit in _hits(view, guard):
            kept.setdefault((hit.rule_id, hit.span), hit)
            if len(kept) >= _MOST_PLACES:
                return (*kept.values(), _placeless(hit))
    return tuple(kept.values())


def _hits(view: View, guard: Guard) -> Iterator[Hit]:
    if guard.canary:
        for place in canary_places(guard.canary, view.text):
            yield Hit(
                CANARY_RULE,
                "CANARY",
                Category.SYSTEM_PROMPT_LEAK,
                Severity.CRITICAL,
                1.0,
                view.to_source(place),
                view.transforms,
                "The system prompt's canary in an answer",
                _TAGS,
            )
    if guard.prompt is not None and view.segment.origin not in _NOT_THE_MODEL:
        for quote in guard.prompt.quotes(view.text):
            severity = Severity.CRITICAL if quote.share >= 0.5 else Severity.HIGH
            for place in quote.places:
                yield Hit(
                    _QUOTE_RULE,
                    "SYSTEM_PROMPT",
                    Category.SYSTEM_PROMPT_LEAK,
                    severity,
                    quote.confidence,
                    view.to_source(place),
                    view.transforms,
                    "Words of the system prompt in an answer",
                    _TAGS,
                )


def _placeless(hit: Hit) -> Hit:
    return Hit(
        hit.rule_id, hit.kind, hit.category, hit.severity, hit.confidence, None, hit.transforms, hit.message, hit.tags
    )


DETECTOR: Final = LeakageDetector()
