"""Signatures of an operator: those of the installation, and those of the tenant whose text it is."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Final, Literal

from detectors.rules import RuleSet
from detectors.signature_scan import SignatureScan
from detectors.types import Detector, Hit, InspectionContext, Stage, View


class PackDetector:
    """Asks the packs of the lexicon, each of which is a pass of its own."""

    name = "packs"
    stage = Stage.PATTERN
    required = True
    cacheable = True
    either_way: Literal[True] = True
    revision = "1"
    rule_ids = ()

    def build(self, rules: RuleSet, scan: SignatureScan) -> Detector:
        return self

    async def inspect(self, batch: Sequence[Sequence[View]], context: InspectionContext) -> Sequence[Sequence[Hit]]:
        packs = () if context.lexicon is None else context.lexicon.packs
        if not packs:
            return [()] * len(batch)
        found = [pack.hits(batch, context) for pack in packs]
        return [tuple(chain.from_iterable(hits)) for hits in zip(*found, strict=True)]


DETECTOR: Final = PackDetector()
