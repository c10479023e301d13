"""A threshold is advised by what was recorded, with the interval in which the true rate lies."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from policies.calibration import Calibration, Rate, fewest_decisions
from policies.recorded import Score
from tests.policies.conftest import MakePolicy

WHEN = "{category: [prompt_injection, jailbreak], direction: request, min_confidence: 0.8}"
RULE = f"{{id: stop, when: {WHEN}, action: block}}"
Count = Callable[..., Calibration]


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    # Brown, Cai and DasGupta, Statistical Science 16 (2001), have the formula; the figures are its own, by hand.
    [(0, 0, 0.0, 1.0), (0, 1000, 0.0, 0.003827), (1, 10, 0.01788, 0.40415), (10, 10, 0.72247, 1.0)],
)
def test_an_interval_is_wilsons(hits: int, trials: int, low: float, high: float) -> None:
    assert Rate(hits, trials).interval == pytest.approx((low, high), abs=1e-5)


@pytest.fixture
def count(make_policy: MakePolicy) -> Count:
    def counted(
        *confidences: float, benign: int = 0, category: str = "jailbreak", direction: str = "request"
    ) -> Calibration:
        calibration = Calibration(make_policy(f"rules: [{RULE}]"))
        for confidence in confidences:
            calibration.take([score(confidence, category, direction)])
        for _ in range(benign):
            calibration.take([])
        return calibration

    return counted


def score(confidence: float, category: str, direction: str) -> Score:
    return Score(direction, "user", category, "PS-X-001", "patterns", "X", confidence, "high", "value", "", 1)


def test_the_threshold_lies_above_what_would_be_too_many_alarms(count: Count) -> None:
    (advice,) = count(*[0.81] * 50, *[0.4] * 100, benign=9850).advise(0.002)
    assert (advice.present_rate.hits, advice.advised) == (50, 0.82)
    assert advice.advised_rate.interval[1] <= 0.002


def test_a_threshold_that_is_higher_than_need_be_is_lowered(count: Count) -> None:
    (advice,) = count(*[0.4] * 100, benign=9900).advise(0.002)
    assert advice.advised == 0.41


def test_too_few_decisions_prove_nothing(count: Count) -> None:
    (advice,) = count(benign=100).advise(0.002)
    assert advice.advised is None
    enough = count(benign=fewest_decisions(0.002)).advise(0.002)
    assert enough[0].advised == 0.3


@pytest.mark.parametrize("other", [{"category": "pii"}, {"direction": "response"}])
def test_what_a_rule_is_not_about_counts_as_quiet(count: Count, other: dict[str, str]) -> None:
    (advice,) = count(*[1.0] * 5000, benign=5000, **other).advise(0.002)
    assert (advice.present_rate.hits, advice.present_rate.trials) == (0, 10000)


def test_rules_about_personal_data_and_those_that_only_flag_are_left_alone(make_policy: MakePolicy) -> None:
    personal = "{id: a, when: {category: pii, min_confidence: 0.5}, action: block}"
    flagging = "{id: b, when: {category: jailbreak, min_confidence: 0.5}, action: flag}"
    assert Calibration(make_policy(f"rules: [{personal}, {flagging}]")).rules == ()
