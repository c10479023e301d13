"""A detector over the signatures of some categories: its share of the one pass that all signatures make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from detectors.rules import RuleSet
from detectors.signature_scan import SignatureScan
from detectors.types import Category, Detector, Hit, InspectionContext, Stage, View


class SignatureDetector:
    stage = Stage.PATTERN
    required = True
    cacheable = True
    either_way: Literal[True] = True

    def __init__(self, name: str, scan: SignatureScan, categories: frozenset[Category], revision: str) -> None:
        self.name, self.revision = name, revision
        self._scan, self._categories = scan, categories

    async def inspect(self, batch: Sequence[Sequence[View]], context: InspectionContext) -> Sequence[Sequence[Hit]]:
        return [hits and self._own(hits) for hits in self._scan.hits(batch, context)]

    def _own(self, hits: Sequence[Hit]) -> tuple[Hit, ...]:
        return tuple(hit for hit in hits if hit.category in self._categories)


@dataclass(frozen=True, slots=True)
class SignatureDetectorFactory:
    """How a plug-in module asks for a signature detector over its categories."""

    name: str
    categories: frozenset[Category]
    rule_ids: tuple[str, ...] = ()

    def build(self, rules: RuleSet, scan: SignatureScan) -> Detector:
        return SignatureDetector(self.name, scan, self.categories, rules.revision)
