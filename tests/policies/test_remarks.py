"""Remarks: what ends is told before it does."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from policies.remarks import remarks
from tests.policies.conftest import MakePolicy

UNTIL = date(2027, 3, 1)
POLICY = """
extends: preset/standard
exclusions: [{rule: PS-INJ-001, origin: system, until: 2027-03-01, owner: sec@acme.example, reason: quoted}]
"""


@pytest.mark.parametrize(
    ("days", "said"), [(-15, ""), (-14, "ends on"), (0, "ends on"), (1, "ended on"), (400, "ended on")]
)
def test_an_exclusion_is_spoken_of_two_weeks_before_it_ends(make_policy: MakePolicy, days: int, said: str) -> None:
    found = remarks(make_policy(POLICY), UNTIL + timedelta(days=days))
    expected = f"exclusion of PS-INJ-001 {said} 2027-03-01 (owner sec@acme.example)"
    assert found == ((expected,) if said else ())


def test_a_rule_that_asks_for_what_nobody_knows_is_spoken_of(make_policy: MakePolicy) -> None:
    policy = make_policy("rules: [{id: x, when: {min_cost: 5}, if: 'role == \"a\"', action: flag}]")
    assert remarks(policy, UNTIL) == ("rule 'x' asks for a role, which nobody knows yet",)
