"""Weak signs add up; none of them, and no two of one kind, decide alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.anomaly import ANOMALY_RULE, ENOUGH, WEAK, anomaly_hit, anomaly_of
from detectors.types import Category, Hit, Severity, Span


def hit(kind: str, confidence: float, category: Category = Category.PROMPT_INJECTION, rule: str = "") -> Hit:
    return Hit(rule or f"PS-INJ-{kind}", kind, category, Severity.LOW, confidence, Span(0, 1), (), "a sign", ("tag",))


def test_two_kinds_of_weak_signs_make_a_stronger_one() -> None:
    anomaly = anomaly_of([hit("A", 0.45), hit("B", 0.6)])

    assert str(anomaly) == "PS-INJ-B 0.60 + PS-INJ-A 0.45 = 0.78"


@pytest.mark.parametrize(
    "hits",
    [
        [],
        [hit("A", 0.7)],
        [hit("A", 0.7), hit("A", 0.6, rule="PS-INJ-X")],
        [hit("A", 0.7), hit("B", 0.7), hit("C", WEAK)],
        [hit("A", 0.2), hit("B", 0.2)],
        [hit("A", 0.7), hit("EMAIL", 0.7, Category.PII)],
    ],
    ids=["nothing", "one sign", "one kind", "beside one that decides", "too little", "no attack"],
)
def test_what_is_no_anomaly(hits: list[Hit]) -> None:
    assert anomaly_of(hits) is None
    assert anomaly_hit(hits) is None


def test_the_finding_has_a_rule_of_its_own_and_shows_its_sum_without_any_text() -> None:
    found = anomaly_hit([hit("A", 0.7, Category.JAILBREAK), hit("B", 0.6)])

    assert found is not None
    assert (found.rule_id, found.category, found.severity, found.span) == (
        ANOMALY_RULE,
        Category.JAILBREAK,
        Severity.HIGH,
        None,
    )
    assert found.message == "Weak signs: PS-INJ-A 0.70 + PS-INJ-B 0.60 = 0.88"


@given(st.lists(st.tuples(st.sampled_from("ABCDE"), st.floats(0.05, 0.79)), max_size=12))
def test_a_further_sign_never_makes_it_less(signs: list[tuple[str, float]]) -> None:
    scores = [
        0.0 if (a := anomaly_of([hit(*s) for s in signs[:n]])) is None else a.score for n in range(len(signs) + 1)
    ]

    assert scores == sorted(scores)
    assert all(score == 0 or ENOUGH <= score <= 0.95 for score in scores)
