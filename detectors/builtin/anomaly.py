"""Weak signs of attacks that together are one: the sum over what signatures found in a text."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Final, Literal

from detectors.anomaly import ANOMALY_RULE, anomaly_hit
from detectors.rules import RuleSet
from detectors.signature_scan import SignatureScan
from detectors.types import Detector, Hit, InspectionContext, Stage, View


class AnomalyDetector:
    """Asks for what the one pass and the packs have found already."""

    name = "anomaly"
    stage = Stage.PATTERN
    required = True
    cacheable = True
    either_way: Literal[True] = True

    def __init__(self, scan: SignatureScan, revision: str) -> None:
        self._scan, self.revision = scan, f"1:{revision}"

    async def inspect(self, batch: Sequence[Sequence[View]], context: InspectionContext) -> Sequence[Sequence[Hit]]:
        packs = () if context.lexicon is None else context.lexicon.packs
        found = [self._scan.hits(batch, context), *(pack.hits(batch, context) for pack in packs)]
        return [_sum(hits) for hits in zip(*found, strict=True)]


def _sum(found: Sequence[Sequence[Hit]]) -> tuple[Hit, ...]:
    if not any(found):
        return ()
    hit = anomaly_hit(chain.from_iterable(found))
    return () if hit is None else (hit,)


class AnomalyFactory:
    name = "anomaly"
    rule_ids = (ANOMALY_RULE,)

    def build(self, rules: RuleSet, scan: SignatureScan) -> Detector:
        return AnomalyDetector(scan, rules.revision)


DETECTOR: Final = AnomalyFactory()
