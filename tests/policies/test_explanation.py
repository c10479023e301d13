"""An explanation names every rule and exclusion, and why each does or does not decide."""

from __future__ import annotations

from detectors.chain import Inspection
from policies.engine import Actions
from policies.explanation import as_document, explain
from policies.types import ActionName, Facts
from tests.policies.conftest import MakeFinding, MakePolicy

POLICY = """
rules:
  - {id: noted, when: {category: pii}, action: flag}
  - {id: sure, when: {category: pii, min_confidence: 0.99}, action: block}
  - {id: tools, when: {category: [pii, credential], origin: tool, direction: response}, action: mask}
exclusions:
  - {rule: PS-PII-001, origin: tool, until: 1999-01-01, owner: sec, reason: too old}
"""


def test_each_rule_says_what_it_asks_or_why_it_does_not(
    make_policy: MakePolicy, make_finding: MakeFinding, actions: Actions
) -> None:
    why = explain(make_policy(POLICY), Inspection((make_finding(),)), Facts(at=2e9), "r", actions)
    noted, sure, tools = why.steps[0].asked
    assert (noted.action, noted.unmet) == (ActionName.FLAG, ())
    assert (sure.action, sure.unmet) == (ActionName.ALLOW, ("min_confidence 0.99 > 0.9",))
    assert tools.unmet == ("origin tool, not user", "direction response, not request")
    assert (why.steps[0].action, why.steps[0].decided_by) == (ActionName.FLAG, "noted")


def test_an_exclusion_that_does_not_excuse_says_why(
    make_policy: MakePolicy, make_finding: MakeFinding, actions: Actions
) -> None:
    why = explain(make_policy(POLICY), Inspection((make_finding(),)), Facts(at=2e9), "r", actions)
    (excuse,) = why.steps[0].excuses
    assert excuse.unmet == ("ended on 1999-01-01", "is for origin tool, not user")


def test_what_was_excused_is_shown_with_its_excuse(
    make_policy: MakePolicy, make_finding: MakeFinding, actions: Actions
) -> None:
    policy = make_policy(POLICY.replace("tool, until: 1999", "user, until: 2999"))
    document = as_document(explain(policy, Inspection((make_finding(),)), Facts(at=2e9), "r", actions))
    (finding,) = document["findings"]
    assert document["action"] == "allow"
    assert finding["exclusions"][0]["applies"]


def test_the_heaviest_comes_first(make_policy: MakePolicy, make_finding: MakeFinding, actions: Actions) -> None:
    findings = (make_finding(confidence=0.5), make_finding(confidence=1.0, rule="PS-PII-003"))
    why = explain(make_policy(POLICY), Inspection(findings), Facts(at=2e9), "r", actions)
    assert [step.action for step in why.steps] == [ActionName.BLOCK, ActionName.FLAG]
