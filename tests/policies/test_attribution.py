"""Each rule by itself: who else would have asked for what was done."""

from __future__ import annotations

from detectors.chain import Inspection
from policies.attribution import asked_alone, rules_behind, rules_that_decide
from policies.engine import Actions, decide
from policies.types import ActionName, Facts
from tests.policies.conftest import MakeFinding, MakePolicy

RULES = """
rules:
  - {id: noted, when: {category: pii}, action: flag}
  - {id: addresses, when: {kind: EMAIL}, action: mask}
  - {id: persons, when: {category: pii}, action: mask}
  - {id: keys, when: {category: credential}, action: block}
"""


def test_all_rules_that_ask_for_what_was_done_are_named(
    make_policy: MakePolicy, make_finding: MakeFinding, actions: Actions
) -> None:
    policy, inspection, facts = make_policy(RULES), Inspection((make_finding(),)), Facts(at=0)
    verdict = decide(policy, inspection, facts, "r", actions)
    asked = asked_alone(policy, inspection, facts, "r", actions)
    assert (verdict.judged[0].rule, rules_behind(verdict, asked)) == ("addresses", ("addresses", "persons"))
    assert rules_that_decide(verdict, asked) == {"addresses", "persons"}
    assert asked["noted"] == (ActionName.FLAG,)
    assert asked["keys"] == (ActionName.ALLOW,)


def test_where_nothing_was_found_nobody_asks_for_anything(make_policy: MakePolicy, actions: Actions) -> None:
    assert asked_alone(make_policy(RULES), Inspection(), Facts(at=0), "r", actions) == {}
