"""Many windows, one verdict: nothing counted twice, nothing heavier forgotten, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from detectors.types import Coverage, DetectorRun, RunStatus, Stage, Unscanned
from policies.types import ActionName, CandidateVerdict, Judged, StopReason, Verdict
from proxy.screen import Screened
from proxy.streams.tally import MOST_FINDINGS, Tally, sum_runs

MakeJudged = Callable[..., Judged]
MakeVerdict = Callable[..., Verdict]


def run(status: RunStatus = RunStatus.OK, hits: int = 1, reason: str = "") -> DetectorRun:
    return DetectorRun("pii", Stage.PATTERN, True, status, hits, 0.1 * hits, 0.5, reason)


def total(*verdicts: Verdict) -> Verdict:
    tally = Tally()
    for verdict in verdicts:
        tally.add(Screened(verdict, ()), "0/delta/content", 0)
    found = tally.total()
    assert found
    return found.verdict


def test_of_nothing_there_is_no_total() -> None:
    assert Tally().total() is None


def test_a_finding_seen_through_overlapping_windows_counts_once(
    make_judged: MakeJudged, make_verdict: MakeVerdict
) -> None:
    tally = Tally()
    for base, start in ((0, 300), (200, 100), (300, 0)):
        found = make_judged(span=(start, start + 9))
        tally.add(Screened(make_verdict(ActionName.FLAG, found), ()), "0/delta/content", base)
    screened = tally.total()

    assert screened
    assert len(screened.verdict.judged) == 1


def test_the_same_place_of_another_channel_or_rule_is_another_finding(
    make_judged: MakeJudged, make_verdict: MakeVerdict
) -> None:
    tally = Tally()
    for channel, rule in (("0/a", "R1"), ("0/b", "R1"), ("0/a", "R2"), ("0/a", "R1")):
        tally.add(Screened(make_verdict(ActionName.FLAG, make_judged(rule=rule)), ()), channel, 0)
    screened = tally.total()

    assert screened
    assert len(screened.verdict.judged) == 3


@pytest.mark.parametrize("order", [1, -1])
def test_the_heaviest_action_is_the_total_whenever_it_came(make_verdict: MakeVerdict, order: int) -> None:
    verdicts = [make_verdict(ActionName.MASK), make_verdict(ActionName.ALLOW), make_verdict(ActionName.FLAG)]

    assert total(*verdicts[::order]).action is ActionName.MASK


@pytest.mark.parametrize("order", [1, -1])
def test_a_stop_is_the_totals_reason_even_beside_heavier_words(make_verdict: MakeVerdict, order: int) -> None:
    stopped = make_verdict(ActionName.BLOCK, stop=StopReason.UNSCANNED)
    failed = make_verdict(ActionName.ERROR)

    verdict = total(*[stopped, failed][::order])
    assert (verdict.stop_reason, verdict.effect.stop, verdict.action) == (StopReason.UNSCANNED, True, ActionName.ERROR)


def test_coverage_is_added_up_and_degraded_detectors_are_kept(make_verdict: MakeVerdict) -> None:
    one = Coverage(2, 1, {"vocabulary": 3}, {Unscanned.MEDIA: 1})
    two = Coverage(5, 0, {"vocabulary": 1, "model": 1}, {Unscanned.OVERSIZE: 1, Unscanned.MEDIA: 1})
    verdict = total(make_verdict(coverage=one, degraded=("b",)), make_verdict(coverage=two, degraded=("a",)))

    assert verdict.coverage == Coverage(
        7, 1, {"vocabulary": 4, "model": 1}, {Unscanned.MEDIA: 2, Unscanned.OVERSIZE: 1}
    )
    assert verdict.degraded == ("a", "b")


def test_findings_are_bounded(make_judged: MakeJudged, make_verdict: MakeVerdict) -> None:
    found = [make_judged(span=(i, i + 1)) for i in range(MOST_FINDINGS * 2)]

    assert len(total(make_verdict(ActionName.FLAG, *found)).judged) == MOST_FINDINGS


def test_a_detectors_runs_are_one_account_with_the_worse_status() -> None:
    tally = sum_runs(sum_runs(sum_runs(None, run()), run(RunStatus.TIMEOUT, 0, "deadline")), run(hits=3))

    assert (tally.status, tally.reason, tally.hits, tally.seconds) == (RunStatus.TIMEOUT, "deadline", 4, 1.5)
    assert tally.confidence == pytest.approx(0.3)


@pytest.mark.parametrize("order", [1, -1])
def test_who_was_left_out_of_one_window_has_looked_at_the_others(order: int) -> None:
    one, other = [run(RunStatus.OK), run(RunStatus.SKIPPED)][::order]

    assert sum_runs(one, other).status is RunStatus.OK


@pytest.mark.parametrize("order", [1, -1])
def test_the_candidates_heaviest_action_over_all_windows_is_held_against_the_total(
    make_verdict: MakeVerdict, order: int
) -> None:
    seen = [
        replace(make_verdict(mine), candidate=CandidateVerdict("acme", "sha256:next", theirs, ""))
        for mine, theirs in ((ActionName.MASK, ActionName.MASK), (ActionName.ALLOW, ActionName.FLAG))
    ]
    assert total(*seen[::order]).disagreement is None
    blocked = replace(seen[1], candidate=CandidateVerdict("acme", "sha256:next", ActionName.BLOCK, "x"))
    disagreement = total(*[seen[0], blocked][::order]).disagreement
    assert disagreement is not None
    assert (disagreement.action, disagreement.rule) == (ActionName.BLOCK, "x")


@pytest.mark.parametrize("order", [1, -1])
def test_of_what_one_place_was_found_to_be_the_heavier_is_told(
    make_judged: MakeJudged, make_verdict: MakeVerdict, order: int
) -> None:
    light = make_judged(action=ActionName.FLAG, span=(0, 9))
    heavy = make_judged(action=ActionName.BLOCK, span=(0, 9))
    verdicts = [make_verdict(ActionName.FLAG, light), make_verdict(ActionName.BLOCK, heavy)]

    assert [item.action for item in total(*verdicts[::order]).judged] == [ActionName.BLOCK]
