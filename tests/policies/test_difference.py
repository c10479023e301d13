"""Two policies are compared by what they decide of everything that can be found."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from detectors.rules import RuleSet
from detectors.types import Category
from policies.difference import Difference, cases, difference
from policies.engine import Actions
from policies.loader import load_preset
from policies.types import ActionName
from tests.policies.conftest import MakePolicy

Compare = Callable[[str, str], Difference]
STANDARD = "extends: preset/standard\n"


@pytest.fixture
def compare(make_policy: MakePolicy, rules: RuleSet, actions: Actions) -> Compare:
    return lambda before, after: difference(make_policy(before), make_policy(after), rules, actions, 1.8e9)


def test_a_policy_does_not_differ_from_itself_however_it_is_written(rules: RuleSet, actions: Actions) -> None:
    one, other = load_preset("preset/strict").policy, load_preset("preset/strict").policy
    assert difference(one, other, rules, actions, 1.8e9).empty


def test_a_rule_that_changes_no_decision_is_no_change_of_meaning(compare: Compare) -> None:
    found = compare(STANDARD, f"{STANDARD}rules: [{{id: r, when: {{kind: JWT}}, action: mask}}]")
    assert (found.changes, found.rules) == ((), ("rule r is new",))


def test_a_change_comes_with_a_text_in_which_it_shows(compare: Compare) -> None:
    mask = "rules: [{id: cards, when: {kind: PAYMENT_CARD, direction: response}, action: mask}]"
    (change,) = compare(STANDARD, STANDARD + mask).changes
    assert (change.before, change.after, change.rule_after) == (ActionName.FLAG, ActionName.MASK, "cards")
    assert change.case.finding.hit.category is Category.PII
    assert "4111" in change.case.example


@pytest.mark.parametrize("when", ["min_risk: 2", "min_cost: 5", 'time: {from: "22:00", to: "22:05", days: [sun]}'])
def test_what_holds_in_some_circumstances_alone_is_tried_in_them(compare: Compare, when: str) -> None:
    (change,) = compare(
        STANDARD, f"{STANDARD}rules: [{{id: r, when: {{kind: IBAN, direction: request, {when}}}, action: block}}]"
    ).changes
    assert (change.after, change.rule_after) == (ActionName.BLOCK, "r")


def test_a_threshold_that_only_models_reach_is_seen(compare: Compare) -> None:
    lower = "rules: [{id: r, when: {category: harmful_request, min_confidence: 0.33}, action: block}]"
    higher = lower.replace("0.33", "0.44")
    changes = compare(STANDARD + lower, STANDARD + higher).changes
    assert {change.before for change in changes} == {ActionName.BLOCK}
    assert all(0.33 <= change.case.finding.hit.confidence < 0.44 for change in changes)


def test_settings_are_compared_by_name(compare: Compare) -> None:
    found = compare(STANDARD, f"{STANDARD}limits: {{text: 1 KiB}}\nunscanned: {{media: block}}")
    assert found.settings == (("unscanned.media", "flag", "block"), ("limits.text", "262144", "1024"))


def test_everything_that_signatures_find_is_among_the_cases(rules: RuleSet) -> None:
    found = {case.finding.hit.rule_id for case in cases(rules, [0.5])}
    assert {signature.id for signature in rules.of(Category)} <= found
