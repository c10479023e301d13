"""Put the detection chain together from what the plug-in folders offer."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import detectors.builtin
import detectors.decoders
from detectors.chain import Chain
from detectors.decoding import Decoder
from detectors.discovery import discover
from detectors.glance import Glance
from detectors.memory import FindingsCache
from detectors.rules import STORE, RuleSet
from detectors.signature_scan import SignatureScan
from detectors.types import Category, Detector
from detectors.views import ViewBuilder


@runtime_checkable
class DetectorFactory(Protocol):
    """What a module of `builtin/` offers as DETECTOR."""

    @property
    def name(self) -> str: ...
    @property
    def rule_ids(self) -> tuple[str, ...]:
        """The rules of its own, beside signatures."""

    def build(self, rules: RuleSet, scan: SignatureScan) -> Detector: ...


def build_detectors(rules: RuleSet) -> tuple[Detector, ...]:
    factories = discover(detectors.builtin, "DETECTOR", DetectorFactory)  # type: ignore[type-abstract]
    scan = SignatureScan(rules.of(Category))
    return tuple(factory.build(rules, scan) for factory in factories)


def build_views() -> ViewBuilder:
    return ViewBuilder(discover(detectors.decoders, "DECODER", Decoder), STORE)


def rule_ids(rules: RuleSet) -> tuple[str, ...]:
    """Return the ids of all that may be found: signatures, and what detectors tell by rules of their own."""
    factories = discover(detectors.builtin, "DETECTOR", DetectorFactory)  # type: ignore[type-abstract]
    own = [rule for factory in factories for rule in factory.rule_ids]
    return (*(signature.id for signature in rules.signatures), *own)


def build_chain(rules: RuleSet, cache: FindingsCache | None = None) -> Chain:
    """Build the chain of every discovered detector and decoder over `rules`."""
    views, built = build_views(), build_detectors(rules)
    glance = Glance(built, views, rules.of(Category), views.gates)
    return Chain(built, views, rules.revision, cache, glance=glance)
