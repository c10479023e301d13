"""What judging recorded traffic would come to: who would have been asked about, and at what price."""

from __future__ import annotations

from typing import Any

import pytest

from detectors.types import Category, Finding, Origin
from policies.judge_estimate import JudgeEstimate
from policies.recorded import Recorded
from policies.types import Policy
from tests.policies.conftest import MakeFinding, MakePolicy

ROW = Recorded(
    id="1", at=0.0, tenant="acme", app="shop", key_id=None, dialect="openai", route="", model="gpt-small", upstream="",
    streaming=False, network=None, outcome="answered", intended_action="allow", scores="[]", scores_overflow=False,
    facts="{}", coverage='{"request": {}}', degraded=(), policy_revision="",
)  # fmt: skip
BAND = "{when: [{category: prompt_injection, confidence: [0.35, 0.8]}]}"


def estimate(policy: Policy) -> JudgeEstimate:
    assert policy.judges is not None
    return JudgeEstimate(policy.judges)


@pytest.mark.parametrize(("confidence", "counted"), [(0.2, 0), (0.35, 1), (0.8, 1), (0.9, 0)])
def test_a_finding_in_the_band_is_for_judges(
    make_policy: MakePolicy, make_finding: MakeFinding, confidence: float, counted: int
) -> None:
    judging = estimate(make_policy(f"extends: preset/standard\njudges: {BAND}"))
    judging.note(ROW, [unsure(make_finding, confidence)], stopped=False)
    assert judging.decisions == counted


def test_what_is_stopped_without_them_costs_nothing(make_policy: MakePolicy, make_finding: MakeFinding) -> None:
    judging = estimate(make_policy(f"extends: preset/standard\njudges: {BAND}"))
    judging.note(ROW, [unsure(make_finding, 0.5)], stopped=True)
    assert judging.decisions == 0


@pytest.mark.parametrize(
    ("judges", "quiet", "expected"),
    [
        (BAND, 100, 0),
        ("{when: [{category: pii}], sample: 5%}", 100, 5),
        ("{when: [{category: pii}], always: {origin: [user]}}", 100, 100),
    ],
)
def test_what_is_asked_by_chance_or_for_its_origin_is_expected(
    make_policy: MakePolicy, judges: str, quiet: int, expected: float
) -> None:
    judging = estimate(make_policy(f"extends: preset/standard\njudges: {judges}"))
    judging.pass_over(quiet)
    assert judging.decisions == pytest.approx(expected)


def test_models_that_are_always_judged_are_told_by_their_rows(make_policy: MakePolicy) -> None:
    judging = estimate(
        make_policy("extends: preset/standard\njudges: {when: [{category: pii}], always: {model: [gpt-*]}}")
    )
    for model, facts in (("gpt-small", "{}"), ("claude", "{}"), ("claude", '{"fallbacks": ["gpt-big"]}')):
        judging.note(ROW._replace(model=model, facts=facts), [], stopped=False)
    assert (judging.reads_every_row, judging.decisions) == (True, 2)


def test_the_price_is_what_judged_decisions_of_the_same_traffic_cost(
    make_policy: MakePolicy, make_finding: MakeFinding
) -> None:
    judging = estimate(make_policy(f"extends: preset/standard\njudges: {BAND}"))
    assert judging.usd is None
    for cost in ('"cost_micro_usd": 300, ', ""):
        row = ROW._replace(coverage=f'{{"request": {{}}, "judges": {{{cost}"calls": 1}}}}')
        judging.note(row, [unsure(make_finding, 0.5)], stopped=False)
    assert judging.usd_each == pytest.approx(0.00015)
    assert judging.usd == pytest.approx(0.0003)


def unsure(make_finding: MakeFinding, confidence: float) -> Finding:
    fields: dict[str, Any] = {"category": Category.PROMPT_INJECTION, "confidence": confidence, "origin": Origin.USER}
    return make_finding(**fields)
