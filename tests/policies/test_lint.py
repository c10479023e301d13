"""What loads and still looks wrong: rules that never decide, exclusions at their end."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from detectors.rules import RuleSet
from policies.layers import pack_names, preset_names
from policies.lint import remarks
from policies.loader import load_policy_text, load_preset

TODAY = date(2026, 12, 1)


def texts(rules: RuleSet, *lines: str) -> list[str]:
    text = "\n".join(["extends: preset/standard", "rules:", *(f"  - {line}" for line in lines)])
    return [remark.text for remark in remarks(load_policy_text(text, Path("a.yaml"), "a"), rules, TODAY)]


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("{id: r, when: {category: pii, min_confidence: 0.99}, action: mask}", "no detector is surer than"),
        ("{id: r, when: {kind: EMIAL}, action: mask}", "did you mean 'EMAIL'"),
        ("{id: r, when: {rule: PS-INJ-001, min_severity: critical}, action: block}", "no signature finds"),
        ("{id: r, when: {category: credential, kind: JWT}, action: flag}", "rule 'credentials' asks for mask"),
        ("{id: r, when: {category: credential, min_confidence: 0.5}, action: mask}", "rule 'credentials' before it"),
    ],
)
def test_a_rule_that_can_never_decide_is_told_with_the_reason(rules: RuleSet, rule: str, said: str) -> None:
    (text,) = texts(rules, rule)
    assert said in text


@pytest.mark.parametrize(
    "rule",
    [
        "{id: r, when: {category: prompt_injection, min_confidence: 1.0}, action: block}",
        "{id: r, when: {category: credential}, action: block}",
        "{id: r, when: {category: pii, direction: request}, action: mask}",
        "{id: credentials, when: {category: credential, min_confidence: 0.9}, action: mask}",
    ],
)
def test_a_rule_that_decides_something_is_left_alone(rules: RuleSet, rule: str) -> None:
    assert texts(rules, rule) == []


@pytest.mark.parametrize(
    ("until", "said"), [("2026-11-30", "ended on"), ("2026-12-10", "ends on"), ("2027-06-01", None)]
)
def test_an_exclusion_is_told_before_and_after_its_end(rules: RuleSet, until: str, said: str | None) -> None:
    line = f"{{rule: PS-INJ-014, origin: system, until: {until}, owner: sec, reason: quoted}}"
    loaded = load_policy_text(f"extends: preset/standard\nexclusions: [{line}]", Path("a.yaml"), "a")
    found = [remark.text for remark in remarks(loaded, rules, TODAY)]
    assert len(found) == (said is not None)
    assert said is None or said in found[0]


@pytest.mark.parametrize("name", [*preset_names(), *pack_names()])
def test_nothing_of_ours_is_odd(rules: RuleSet, name: str) -> None:
    assert remarks(load_preset(name), rules, TODAY) == ()
