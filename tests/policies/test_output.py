"""Rules on answers: each looks at one thing, and `action` says what is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from detectors.errors import PolicyError
from policies.loader import load_policy_text
from policies.output import OutputRules, output_findings
from policies.types import ActionName


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("short", []),
        ("x" * 101, ["PS-OUT-001"]),
        ("see https://a.example/x and http://docs.b.example", []),
        ("see [this](//evil.example/x)", ["PS-OUT-002"]),
        ("see https://a.example@evil.example/", ["PS-OUT-002"]),
    ],
)
def test_what_is_wrong_with_a_text_is_told(text: str, rules: list[str]) -> None:
    wanted = OutputRules(max_length=100, links=("a.example", "*.b.example"))
    assert [finding.hit.rule_id for finding in output_findings(wanted, [text])] == rules


def test_the_policys_action_is_that_of_a_rule_of_its_own() -> None:
    text = "extends: preset/standard\noutput: {max_length: 5, action: flag}\n"
    policy = load_policy_text(text, Path("acme.yaml"), "acme").policy
    assert [(rule.id, rule.action) for rule in policy.rules if rule.match.rule] == [("output", ActionName.FLAG)]


def test_a_schema_that_cannot_be_used_is_named_by_its_line() -> None:
    text = "extends: preset/standard\noutput:\n  schema: {type: objct}\n"
    with pytest.raises(PolicyError, match=r"acme\.yaml:3: output\.schema: no JSON Schema"):
        load_policy_text(text, Path("acme.yaml"), "acme")
