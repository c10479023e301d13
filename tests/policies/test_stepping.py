"""What follows from a high risk."""

from __future__ import annotations

from pathlib import Path

import pytest

from detectors.chain import Inspection
from detectors.types import Category, Direction, Finding, Hit, Kind, Origin, Place, SegmentRef, Severity
from policies.build import build_actions
from policies.engine import decide
from policies.loader import load_policy_text
from policies.stepping import risk_finding, stepped_up, suspicion
from policies.types import ActionName, Facts, Policy

RISK = "risk: {strict_at: 1, judge_at: 2, block_at: 3}\njudges: {when: [{category: jailbreak}], calls: 5/min}\n"
WORDS = "keywords: [{id: k, words: [falcon]}]\n"


def load(text: str = RISK) -> Policy:
    return load_policy_text(f"extends: preset/standard\n{text}", Path("acme.yaml"), "acme").policy


def found(rule: str, confidence: float, category: Category = Category.JAILBREAK) -> Finding:
    hit = Hit(rule, "K", category, Severity.LOW, confidence, None, (), "m")
    return Finding(hit, SegmentRef(Direction.REQUEST, Origin.USER, Kind.TEXT, Place.VALUE, "/a", ""), "patterns")


def suspicion_of(*findings: Finding) -> float:
    return suspicion(decide(load(), Inspection(findings), Facts(at=0.0), "r", build_actions()))


def test_steps_are_taken_one_after_the_other() -> None:
    policy = load()
    risk = policy.risk
    assert risk is not None
    assert stepped_up(policy, risk, 0.9) is policy
    strict, judged = stepped_up(policy, risk, 1.0), stepped_up(policy, risk, 2.0)
    assert [strict.lexicon.level(origin) for origin in (Origin.USER, Origin.TOOL, Origin.SYSTEM)] == [3, 3, 2]
    assert strict.judges is policy.judges
    assert judged.judges is not None
    assert Origin.USER in judged.judges.always_origins
    assert (risk.blocks(2.9), risk.blocks(3.0)) == (False, True)


def test_a_step_lowers_no_level_and_compiles_no_word_again() -> None:
    policy = load(f"{RISK}{WORDS}levels: {{user: 4}}\n")
    assert policy.risk is not None
    strict = stepped_up(policy, policy.risk, 1.0)
    assert strict.lexicon.level(Origin.USER) == 4
    assert strict.lexicon.matcher is policy.lexicon.matcher
    assert strict.lexicon.revision != policy.lexicon.revision


@pytest.mark.parametrize("mode", ["enforce", "monitor"])
def test_too_high_a_risk_stops_whatever_is_said_where_the_policy_enforces(mode: str) -> None:
    policy = load(f"{RISK}mode: {mode}\n")
    verdict = decide(policy, Inspection((risk_finding(),)), Facts(at=0.0), "r", build_actions())
    assert verdict.intended_action is ActionName.BLOCK
    assert verdict.effect.stop is (mode == "enforce")
    assert {item.rule for item in verdict.judged} == {"risk"}


def test_suspicion_is_the_sum_of_what_rules_are_sure_of_and_never_more_than_one() -> None:
    assert suspicion_of() == 0.0
    assert suspicion_of(found("A", 0.3), found("A", 0.4), found("B", 0.2)) == pytest.approx(0.6)
    assert suspicion_of(found("A", 0.9), found("B", 0.9)) == 1.0
    assert suspicion_of(found("P", 0.9, Category.PII), risk_finding()) == 0.0
