"""Remarks: what ends is told before it does, and what most requests exceed."""

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


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://siem.acme.example/hook", ""),
        ("http://siem.acme.example/hook", "siem.acme.example is called over HTTPS only"),
        ("https://10.0.0.5/x", "10.0.0.5 lies in no network that policies may call"),
        ("https://localhost/x", "localhost lies in no network"),
        ("https://[::1]/x", "::1 lies in no network"),
        ("https://1.1.1.1/x", ""),
    ],
)
def test_a_webhook_that_can_never_be_called_is_told(make_policy: MakePolicy, url: str, said: str) -> None:
    policy = make_policy(f"extends: preset/standard\nwebhooks: [{{url: '{url}', on: [block]}}]\n")
    found = remarks(policy, UNTIL)
    assert [line.startswith(f"webhooks: {said}") for line in found] == ([True] if said else [])


def test_limits_that_a_request_without_a_bound_exceeds_by_itself_are_told(make_policy: MakePolicy) -> None:
    text = "limits: {tokens: [90k/day, 1024/min], apps: {web: {tokens: 1025/min}}, models: {'o3*': {tokens: 10/s}}}"
    found = remarks(make_policy(f"extends: preset/standard\n{text}\n"), UNTIL)
    assert [line.split(":")[0] for line in found] == [
        "limits.tokens allows 1,024",
        "limits.models.o3*.tokens allows 10",
    ]
    assert all("counts 1,024 for its answer alone" in line for line in found)
