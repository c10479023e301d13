"""What loads and still looks wrong: rules that never decide; and what is to say of the whole policy."""

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
        ("{id: r, when: {kind: email}, action: mask}", "did you mean 'EMAIL'"),
        (
            "{id: r, when: {tag: OWASP.LLM01}, action: block}",
            "no signature has the tag 'OWASP.LLM01' (did you mean 'owasp.l",
        ),
        ("{id: r, when: {category: jailbreak, language: sv}, action: block}", "no request is taken to be in 'sv'"),
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
        "{id: r, when: {tag: owasp.llm01, language: [sv, de]}, action: block}",
        "{id: r, when: {tag: judge.ours}, action: block}",
        "{id: credentials, when: {category: credential, min_confidence: 0.9}, action: mask}",
    ],
)
def test_a_rule_that_decides_something_is_left_alone(rules: RuleSet, rule: str) -> None:
    assert texts(rules, rule) == []


def test_what_is_to_say_of_the_whole_policy_is_said_too(rules: RuleSet) -> None:
    line = "{rule: PS-INJ-014, origin: system, until: 2026-12-10, owner: sec, reason: quoted}"
    loaded = load_policy_text(f"extends: preset/standard\nexclusions: [{line}]", Path("a.yaml"), "a")
    assert [(remark.rule, remark.text) for remark in remarks(loaded, rules, TODAY)] == [
        ("", "exclusion of PS-INJ-014 ends on 2026-12-10 (owner sec)")
    ]


@pytest.mark.parametrize("name", [*preset_names(), *pack_names()])
def test_nothing_of_ours_is_odd(rules: RuleSet, name: str) -> None:
    assert remarks(load_preset(name), rules, TODAY) == ()
