"""A policy's own words: names of projects, of competitors, whatever is not to be said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Literal

from detectors.keywords import KEYWORD
from detectors.lexicon import Lexicon
from detectors.rules import RuleSet
from detectors.signature_scan import SignatureScan
from detectors.types import Category, Detector, Hit, InspectionContext, Span, Stage, View


class KeywordDetector:
    """Reads every folded reading, decoded ones among them, with the lexicon's one matcher."""

    name = "keywords"
    stage = Stage.PATTERN
    required = True
    cacheable = True
    either_way: Literal[True] = True
    revision = "1"
    rule_ids = ()

    def build(self, rules: RuleSet, scan: SignatureScan) -> Detector:
        return self

    async def inspect(self, batch: Sequence[Sequence[View]], context: InspectionContext) -> Sequence[Sequence[Hit]]:
        lexicon = context.lexicon
        if lexicon is None or not lexicon.keywords:
            return [()] * len(batch)
        return [_distinct(views, lexicon) for views in batch]


def _distinct(views: Sequence[View], lexicon: Lexicon) -> tuple[Hit, ...]:
    """One hit for each list and place; the plainest reading is kept."""
    kept: dict[tuple[str, Span | None], Hit] = {}
    for view in views:
        if "folded" in view.transforms:
            for hit in _hits(view, lexicon):
                kept.setdefault((hit.rule_id, hit.span), hit)
    return tuple(kept.values())


def _hits(view: View, lexicon: Lexicon) -> Iterator[Hit]:
    for number, span in lexicon.matcher.places(view.text):
        listed = lexicon.keywords[number]
        yield Hit(
            listed.rule_id,
            KEYWORD,
            Category.KEYWORD,
            listed.severity,
            1.0,
            None if span is None else view.to_source(span),
            view.transforms,
            f"A word of the list '{listed.id}'",
        )


DETECTOR: Final = KeywordDetector()
