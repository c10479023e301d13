"""What a policy says of leakage: closed, merged like the rest, and a canary brings its own rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from detectors.chain import Inspection
from detectors.errors import PolicyError
from detectors.types import CANARY_RULE, Category, Direction, Origin
from policies.engine import Actions, decide
from policies.leakage import Leakage
from policies.loader import load_policy_text, load_preset
from policies.types import ActionName, Facts
from tests.policies.conftest import MakeFinding, MakePolicy

STANDARD = "extends: preset/standard\n"
CANARY = f"{STANDARD}leakage: {{canary: true}}\n"


@pytest.mark.parametrize("preset", ["standard", "strict", "monitor"])
def test_the_presets_look_for_quotes_and_change_no_prompt(preset: str) -> None:
    assert load_preset(f"preset/{preset}").policy.leakage == Leakage(False, True, 12, ())


def test_a_policy_of_its_own_looks_for_what_it_says(make_policy: MakePolicy) -> None:
    rules = "rules: [{id: a, when: {category: pii}, action: flag}]"
    assert make_policy(rules).leakage == Leakage(False, False, 12, ())


def test_the_childs_word_wins_and_hosts_are_added(make_policy: MakePolicy) -> None:
    leakage = make_policy(
        f"{STANDARD}leakage: {{canary: true, words: 20, hosts: [IMG.example.org, '*.example.net']}}"
    ).leakage
    assert leakage == Leakage(True, True, 20, ("img.example.org", "*.example.net"))


@pytest.mark.parametrize(
    ("leakage", "expected"),
    [
        ("{canari: true}", "2: unknown key 'canari' (did you mean 'canary'?)"),
        ("{words: 3}", "2: "),
        ("{words: 99}", "2: "),
        ("{hosts: ['https://img.example.org/']}", "2: leakage.hosts.0: expected a host such as 'images.example.org'"),
        ("{hosts: ['*']}", "2: leakage.hosts.0: expected a host"),
        ("{hosts: img.example.org}", "2: "),
    ],
)
def test_a_mistake_is_told_where_it_stands(leakage: str, expected: str) -> None:
    with pytest.raises(PolicyError) as error:
        load_policy_text(f"{STANDARD}leakage: {leakage}\n", Path("acme.yaml"), "acme")
    assert f"acme.yaml:{expected}" in str(error.value)


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("leakage: {canary: true}\nrules: [{id: a, when: {category: pii}, action: flag}]", ActionName.MASK),
        (f"{CANARY}disable: [leaked-canary]", ActionName.MASK),
        (f"{CANARY}rules: [{{id: leaked-canary, when: {{}}, action: flag}}]\n", ActionName.MASK),
        (CANARY, ActionName.BLOCK),
    ],
)  # fmt: skip
def test_a_canary_never_passes_whatever_the_rules_say(
    text: str, action: ActionName, make_policy: MakePolicy, make_finding: MakeFinding, actions: Actions
) -> None:
    finding = make_finding(
        rule=CANARY_RULE,
        kind="CANARY",
        category=Category.SYSTEM_PROMPT_LEAK,
        origin=Origin.ASSISTANT,
        direction=Direction.RESPONSE,
    )
    verdict = decide(make_policy(text), Inspection((finding,)), Facts(at=0.0), "r", actions)
    assert verdict.action is action
