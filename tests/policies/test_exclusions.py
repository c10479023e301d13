"""Excusing a finding: by rule, and by origin or content, until a day."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from detectors.chain import Inspection
from detectors.types import Coverage, Origin
from policies.engine import Actions, decide
from policies.exclusions import excused
from policies.types import ActionName, Exclusion, Facts
from tests.policies.conftest import MakeFinding, MakePolicy

LAST_DAY = date(2027, 3, 1)
CONTENT = "5b1e" * 8
BY_ORIGIN = Exclusion("PS-INJ-014", Origin.SYSTEM, None, LAST_DAY, "sec@acme.example", "quotes an attack")
BY_CONTENT = replace(BY_ORIGIN, origin=None, content=CONTENT)
BY_BOTH = replace(BY_ORIGIN, content=CONTENT)


@pytest.mark.parametrize(
    ("exclusion", "origin", "content", "expected"),
    [
        (BY_ORIGIN, Origin.SYSTEM, "", True),
        (BY_ORIGIN, Origin.SYSTEM, CONTENT, True),
        (BY_ORIGIN, Origin.USER, CONTENT, False),
        (BY_CONTENT, Origin.USER, CONTENT, True),
        (BY_CONTENT, Origin.USER, "0" * 32, False),
        (BY_CONTENT, Origin.USER, "", False),
        (replace(BY_CONTENT, content=""), Origin.USER, "", False),  # found in no text of its own
        (BY_BOTH, Origin.SYSTEM, CONTENT, True),
        (BY_BOTH, Origin.USER, CONTENT, False),
        (BY_BOTH, Origin.SYSTEM, "0" * 32, False),
    ],
)
def test_an_exclusion_covers_its_origin_and_its_content(
    make_finding: MakeFinding, exclusion: Exclusion, origin: Origin, content: str, expected: bool
) -> None:
    finding = make_finding(rule="PS-INJ-014", origin=origin, content=content)
    assert excused(finding, [exclusion], LAST_DAY) is expected


def test_an_exclusion_covers_its_rule_only(make_finding: MakeFinding) -> None:
    assert not excused(make_finding(rule="PS-INJ-015", origin=Origin.SYSTEM), [BY_ORIGIN], LAST_DAY)


def test_an_exclusion_holds_through_its_last_day(make_finding: MakeFinding) -> None:
    finding = make_finding(rule="PS-INJ-014", origin=Origin.SYSTEM)
    assert excused(finding, [BY_ORIGIN], LAST_DAY)
    assert not excused(finding, [BY_ORIGIN], LAST_DAY + timedelta(1))


def test_any_one_of_several_exclusions_is_enough(make_finding: MakeFinding) -> None:
    finding = make_finding(rule="PS-INJ-014", content=CONTENT)
    assert excused(finding, [BY_ORIGIN, BY_CONTENT], LAST_DAY)


def test_the_day_is_that_of_the_exchange_in_utc(
    make_policy: MakePolicy, make_finding: MakeFinding, actions: Actions
) -> None:
    policy = replace(make_policy("rules: [{id: all, when: {}, action: block}]"), exclusions=(BY_ORIGIN,))
    found = make_finding(rule="PS-INJ-014", origin=Origin.SYSTEM), make_finding(rule="PS-INJ-014")
    midnight = datetime(2027, 3, 2, tzinfo=UTC).timestamp()

    def judged(at: float, count: int) -> tuple[ActionName, int]:
        verdict = decide(policy, Inspection(found[:count], (), Coverage()), Facts(at=at), "r", actions)
        return verdict.action, len(verdict.excused)

    assert judged(midnight - 0.001, 1) == (ActionName.ALLOW, 1)
    assert judged(midnight - 0.001, 2) == (ActionName.BLOCK, 1)
    assert judged(midnight, 1) == (ActionName.BLOCK, 0)
