"""Every preset and pack is proved rule by rule, and every rule of a pack serves a control."""

from __future__ import annotations

import pytest

from detectors.chain import Chain
from detectors.rules import RuleSet
from detectors.types import Category
from policies.controls import load_controls
from policies.engine import Actions
from policies.layers import pack_names, preset_names
from policies.loader import load_preset
from policies.testing import run_tests, unproved_rules
from proxy.request_reader import CodecReader

PACKS = pack_names()
FEWEST_RULES = 8


def test_there_are_ten_packs() -> None:
    assert len(PACKS) == 10


@pytest.mark.parametrize("name", [*preset_names(), *PACKS])
async def test_every_rule_decides_in_a_test_that_passes(
    chain: Chain, actions: Actions, reader: CodecReader, name: str
) -> None:
    loaded = load_preset(name)
    results = await run_tests(loaded, chain, actions, reader)
    assert [result for result in results if not result.passed] == []
    assert unproved_rules(loaded.own_rules, results) == ()


@pytest.mark.parametrize("name", PACKS)
def test_a_pack_has_rules_that_its_preset_has_not(name: str) -> None:
    loaded = load_preset(name)
    inherited = {rule.match for rule in loaded.policy.rules if rule.id not in loaded.own_rules}
    own = [rule for rule in loaded.policy.rules if rule.id in loaded.own_rules]
    assert len({rule.match for rule in own} - inherited) >= FEWEST_RULES


@pytest.mark.parametrize("name", PACKS)
def test_every_rule_serves_a_control_and_every_control_names_rules_that_are_there(name: str) -> None:
    serving = {rule for control in load_controls(name).controls for rule in control.rules}
    assert serving == set(load_preset(name).own_rules)


@pytest.mark.parametrize("name", PACKS)
def test_every_rule_has_a_test_by_name(name: str) -> None:
    loaded = load_preset(name)
    assert {test.rule for test in loaded.tests if test.rule is not None} == set(loaded.own_rules)


@pytest.mark.parametrize("name", PACKS)
def test_every_kind_that_a_pack_names_is_found_by_a_signature(rules: RuleSet, name: str) -> None:
    known = {signature.kind for signature in rules.of(Category)}
    loaded = load_preset(name)
    named = {kind for rule in loaded.policy.rules if rule.id in loaded.own_rules for kind in rule.match.kind}
    assert named <= known
