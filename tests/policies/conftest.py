"""The real detection chain, the real actions, and short ways to write a finding and a policy."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import jsonschema_rs
import pytest

import proxy.providers
from detectors import build
from detectors.chain import Chain
from detectors.discovery import discover
from detectors.documents import parse_document
from detectors.rules import RuleSet, load_signatures
from detectors.types import (
    Category,
    Direction,
    Finding,
    Hit,
    Kind,
    Origin,
    Place,
    SegmentRef,
    Severity,
    Span,
)
from policies.build import build_actions
from policies.engine import Actions
from policies.loader import load_policy_text
from policies.schema import policy_schema
from policies.types import Policy
from proxy.codec import Codec
from proxy.request_reader import CodecReader

MakeFinding = Callable[..., Finding]
MakePolicy = Callable[[str], Policy]


@pytest.fixture(scope="session")
def rules() -> RuleSet:
    return load_signatures()


@pytest.fixture(scope="session")
def rule_ids(rules: RuleSet) -> tuple[str, ...]:
    return build.rule_ids(rules)


@pytest.fixture(scope="session")
def chain(rules: RuleSet) -> Chain:
    return build.build_chain(rules)


@pytest.fixture(scope="session")
def actions() -> Actions:
    return build_actions()


@pytest.fixture(scope="session")
def reader() -> CodecReader:
    """Reads whole requests by the real codecs."""
    return CodecReader(discover(proxy.providers, "CODEC", Codec))  # type: ignore[type-abstract]


@pytest.fixture(scope="session")
def make_finding() -> MakeFinding:
    """Build a finding: an e-mail address at the first four characters of `/a`, unless told otherwise."""

    def make(
        span: tuple[int, int] | None = (0, 4),
        *,
        category: Category = Category.PII,
        confidence: float = 0.9,
        rule: str = "PS-PII-001",
        kind: str = "EMAIL",
        severity: Severity = Severity.MEDIUM,
        tags: tuple[str, ...] = (),
        pointer: str = "/a",
        origin: Origin = Origin.USER,
        direction: Direction = Direction.REQUEST,
        place: Place = Place.VALUE,
        content: str = "",
    ) -> Finding:
        where = None if span is None else Span(*span)
        hit = Hit(rule, kind, category, severity, confidence, where, (), "found", tags)
        return Finding(hit, SegmentRef(direction, origin, Kind.TEXT, place, pointer, content), "test")

    return make


@pytest.fixture(scope="session")
def make_policy() -> MakePolicy:
    """Compile the text of a policy file. What loads, the schema that editors go by must not call wrong."""
    published = jsonschema_rs.validator_for(policy_schema())

    @cache
    def make(text: str) -> Policy:
        policy = load_policy_text(text, Path("acme.yaml"), "acme").policy
        published.validate(parse_document(text, Path("acme.yaml")).content)
        return policy

    return make
