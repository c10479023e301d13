"""The real chain, actions and codec, and short ways to write policies, findings and verdicts."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from detectors.types import Category, Coverage, Direction, Finding, Hit, Kind, Origin, Place, SegmentRef, Severity, Span
from policies.loader import load_policy_text
from policies.types import ActionName, Effect, Judged, Policy, StopReason, Verdict
from proxy.app import Detection, load_detection
from proxy.screen import Screen

MakePolicy = Callable[[str], Policy]
MakeJudged = Callable[..., Judged]
MakeVerdict = Callable[..., Verdict]

EVERYTHING = """
extends: [preset/standard]
rules:
  - {id: all-personal-data, when: {category: pii}, action: mask}
  - {id: all-attacks, when: {category: [prompt_injection, jailbreak], min_confidence: 0.6}, action: block}
"""


@pytest.fixture(scope="session")
def detection() -> Detection:
    return load_detection()


@pytest.fixture
def screen(detection: Detection) -> Screen:
    return Screen(detection.chain, detection.actions)


@pytest.fixture(scope="session")
def make_policy() -> MakePolicy:
    """Load a policy from YAML, on top of one that masks personal data and credentials and blocks attacks."""
    return cache(lambda more: load_policy_text(f"{EVERYTHING}\n{more}", Path("test.yaml"), "test").policy)


@pytest.fixture(scope="session")
def make_judged() -> MakeJudged:
    def make(
        pointer: str = "/messages/0/content",
        *,
        rule: str = "PS-PII-001",
        span: tuple[int, int] | None = (0, 4),
        confidence: float = 0.9,
        category: Category = Category.PII,
        severity: Severity = Severity.MEDIUM,
        direction: Direction = Direction.REQUEST,
        place: Place = Place.VALUE,
        detector: str = "pii",
        action: ActionName = ActionName.FLAG,
    ) -> Judged:
        where = None if span is None else Span(*span)
        hit = Hit(rule, "EMAIL", category, severity, confidence, where, (), "An address")
        ref = SegmentRef(direction, Origin.USER, Kind.TEXT, place, pointer, "c0ffee")
        return Judged(Finding(hit, ref, detector), action, "some-rule")

    return make


@pytest.fixture(scope="session")
def make_verdict() -> MakeVerdict:
    def make(
        action: ActionName = ActionName.ALLOW,
        *judged: Judged,
        stop: StopReason | None = None,
        coverage: Coverage | None = None,
        degraded: tuple[str, ...] = (),
    ) -> Verdict:
        return Verdict(
            action=action,
            intended_action=action,
            effect=Effect(stop=stop is not None),
            judged=judged,
            coverage=coverage or Coverage(scanned=1),
            policy_id="acme",
            policy_revision="sha256:0123456789ab",
            ruleset_revision="rules-1",
            degraded=degraded,
            stop_reason=stop,
        )

    return make
