"""The key `risk` of a policy."""

from __future__ import annotations

from pathlib import Path

import pytest

from detectors.errors import PolicyError
from policies.loader import load_policy_text
from policies.risk import RiskPolicy
from policies.types import Policy

STANDARD = "extends: preset/standard\n"


def load(text: str) -> Policy:
    return load_policy_text(STANDARD + text, Path("acme.yaml"), "acme").policy


def test_a_policy_without_it_has_neither_score_nor_rule() -> None:
    policy = load("")
    assert policy.risk is None
    assert "risk" not in {rule.id for rule in policy.rules}


def test_its_keys_and_what_they_are_without() -> None:
    policy = load("risk: {session: x-session-id, of: [session, tenant], half_life: 2h, strict_at: 1, block_at: 4}\n")
    assert policy.risk == RiskPolicy("x-session-id", ("session", "tenant"), 7200.0, 1.0, 3, None, 4.0)
    assert "risk" in {rule.id for rule in policy.rules}
    assert load("risk: {}\n").risk == RiskPolicy()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("risk: {session: Authorization}", "risk.session"),
        ("risk: {session: authorization}", "risk.session"),
        ("risk: {half_life: 5}", "expected a length of time such as 30min"),
        ("risk: {half_life: 90day}", "from 1s to 30 days"),
        ("risk: {of: []}", "risk.of"),
        ("risk: {strict_at: 5, block_at: 2}", "block_at is below another step"),
        ("risk: {judge_at: 2}", "risk.judge_at asks judges, and this policy has none"),
        ("risk: {strict_level: 2}", "risk.strict_level"),
    ],
)
def test_what_cannot_be_meant_is_refused(text: str, problem: str) -> None:
    with pytest.raises(PolicyError) as refused:
        load(text + "\n")
    assert problem in str(refused.value)
    assert str(refused.value).startswith("acme.yaml:2: ")
