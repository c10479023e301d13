"""The decision: per finding the heaviest action, merged; then what nobody could look at; then who failed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.chain import Inspection
from detectors.types import (
    Category,
    Coverage,
    DetectorRun,
    Direction,
    Finding,
    Origin,
    Place,
    RunStatus,
    Severity,
    Span,
    Stage,
    Unscanned,
)
from policies.engine import Actions, decide
from policies.types import (
    ActionName,
    Edit,
    Effect,
    Facts,
    FailureMode,
    Mode,
    Policy,
    Pseudonym,
    StopReason,
    Verdict,
)
from tests.policies.conftest import MakeFinding, MakePolicy

Decide = Callable[..., Verdict]
NOW = Facts(at=1_800_000_000.0)
PII_MASKED = """
rules:
  - {id: note, when: {}, action: flag}
  - {id: personal-data, when: {category: pii}, action: mask}
  - {id: also-personal-data, when: {category: pii}, action: mask}
  - {id: attacks, when: {category: jailbreak, min_confidence: 0.5}, action: block}
unscanned: {media: flag, token_ids: allow}
"""


@pytest.fixture(scope="session")
def policy(make_policy: MakePolicy) -> Policy:
    return make_policy(PII_MASKED)


@pytest.fixture(scope="session")
def judge(actions: Actions) -> Decide:
    """Decide on some findings, what was unscanned, and runs that did not go well."""

    def decide_on(
        policy: Policy,
        findings: Sequence[Finding] = (),
        unscanned: Sequence[Unscanned] = (),
        runs: Sequence[DetectorRun] = (),
    ) -> Verdict:
        coverage = Coverage(scanned=1, unscanned=dict.fromkeys(unscanned, 1))
        return decide(policy, Inspection(tuple(findings), tuple(runs), coverage), NOW, "rules-1", actions)

    return decide_on


def run_of(name: str, status: RunStatus, *, required: bool) -> DetectorRun:
    return DetectorRun(name, Stage.PATTERN, required, status, 0, 0.0, 0.001)


def edits_of(verdict: Verdict) -> list[tuple[str, int, int, object]]:
    return [(e.pointer, e.span.start, e.span.end, e.replacement) for e in verdict.effect.edits]


# --- one finding --------------------------------------------------------------------------------------------------


def test_nothing_found_is_allowed(judge: Decide, policy: Policy) -> None:
    verdict = judge(policy)
    assert (verdict.action, verdict.effect, verdict.stop_reason) == (ActionName.ALLOW, Effect(), None)


def test_the_heaviest_action_of_all_matching_rules_counts(
    judge: Decide, policy: Policy, make_finding: MakeFinding
) -> None:
    (judged,) = judge(policy, [make_finding()]).judged
    assert (judged.action, judged.rule) == (ActionName.MASK, "personal-data")


def test_a_finding_that_no_rule_matches_is_kept_and_allowed(
    judge: Decide, make_policy: MakePolicy, make_finding: MakeFinding
) -> None:
    policy = make_policy("rules: [{id: attacks, when: {category: jailbreak}, action: block}]")
    verdict = judge(policy, [make_finding()])
    assert verdict.action is ActionName.ALLOW
    assert [(j.action, j.rule) for j in verdict.judged] == [(ActionName.ALLOW, "")]


def test_a_verdict_names_the_policy_the_rules_and_what_was_covered(
    judge: Decide, policy: Policy, make_finding: MakeFinding
) -> None:
    for verdict in (judge(policy), judge(policy, [make_finding()])):
        assert (verdict.policy_id, verdict.policy_revision) == ("acme", policy.revision)
        assert (verdict.ruleset_revision, verdict.coverage.scanned) == ("rules-1", 1)


def test_a_flag_leaves_a_label_and_nothing_else(judge: Decide, policy: Policy, make_finding: MakeFinding) -> None:
    verdict = judge(policy, [make_finding(category=Category.CREDENTIAL)])
    assert (verdict.action, verdict.effect) == (ActionName.FLAG, Effect(labels=("credential",)))


CONDITIONS: dict[str, dict[str, Any]] = {
    "category: pii": {"category": Category.CREDENTIAL},
    "category: [jailbreak, pii]": {"category": Category.CREDENTIAL},
    "origin: user": {"origin": Origin.TOOL},
    "origin: [user, system]": {"origin": Origin.UNKNOWN},
    "direction: request": {"direction": Direction.RESPONSE},
    "rule: PS-PII-001": {"rule": "PS-PII-002"},
    "kind: [EMAIL, PHONE]": {"kind": "IBAN"},
    "tag: gdpr": {"tags": ("hipaa",)},
    "min_confidence: 0.9": {"confidence": 0.89},
    "min_severity: medium": {"severity": Severity.LOW},
}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_condition_holds_for_what_it_names_only(
    judge: Decide, make_policy: MakePolicy, make_finding: MakeFinding, condition: str
) -> None:
    policy = make_policy(f"rules: [{{id: x, when: {{{condition}}}, action: block}}]")
    assert judge(policy, [make_finding(tags=("gdpr", "pci"))]).effect.stop
    assert not judge(policy, [make_finding(**({"tags": ("gdpr",)} | CONDITIONS[condition]))]).effect.stop


def test_all_conditions_of_a_rule_must_hold(judge: Decide, make_policy: MakePolicy, make_finding: MakeFinding) -> None:
    policy = make_policy("rules: [{id: x, when: {category: pii, origin: document}, action: block}]")
    assert not judge(policy, [make_finding()]).effect.stop
    assert judge(policy, [make_finding(origin=Origin.TOOL)]).effect.stop


# --- edits --------------------------------------------------------------------------------------------------------


def test_a_mask_replaces_what_was_found_by_its_kind(judge: Decide, policy: Policy, make_finding: MakeFinding) -> None:
    verdict = judge(policy, [make_finding((3, 9)), make_finding((1, 2), pointer="/b", kind="PHONE")])
    assert edits_of(verdict) == [("/a", 3, 9, "[EMAIL]"), ("/b", 1, 2, "[PHONE]")]
    assert (verdict.action, verdict.effect.stop) == (ActionName.MASK, False)


def test_the_effects_of_all_findings_are_merged(judge: Decide, policy: Policy, make_finding: MakeFinding) -> None:
    verdict = judge(policy, [make_finding((3, 9)), make_finding((0, 2), category=Category.CREDENTIAL)])
    assert edits_of(verdict) == [("/a", 3, 9, "[EMAIL]")]
    assert verdict.effect.labels == ("credential",)


def test_one_stop_stops_and_edits_nothing(judge: Decide, policy: Policy, make_finding: MakeFinding) -> None:
    verdict = judge(policy, [make_finding(), make_finding(category=Category.JAILBREAK)])
    assert (verdict.action, verdict.effect.stop, verdict.effect.edits) == (ActionName.BLOCK, True, ())
    assert verdict.stop_reason is StopReason.FOUND


@pytest.mark.parametrize(
    "found", [{"span": None}, {"place": Place.KEY}, {"place": Place.NUMBER}], ids=["no span", "a key", "a number"]
)
def test_a_mask_that_cannot_be_done_stops(
    judge: Decide, policy: Policy, make_finding: MakeFinding, found: dict[str, Any]
) -> None:
    verdict = judge(policy, [make_finding(**found), make_finding((6, 8))])
    assert (verdict.action, verdict.effect.stop, verdict.effect.edits) == (ActionName.BLOCK, True, ())


PSEUDONYMS = "rules: [{id: personal-data, when: {category: pii}, action: pseudonymise}]"


def test_a_pseudonym_stands_for_what_a_request_says(
    judge: Decide, make_policy: MakePolicy, make_finding: MakeFinding
) -> None:
    verdict = judge(make_policy(PSEUDONYMS), [make_finding((3, 9))])
    assert edits_of(verdict) == [("/a", 3, 9, Pseudonym("EMAIL"))]
    assert (verdict.action, verdict.effect.stop) == (ActionName.PSEUDONYMISE, False)


@pytest.mark.parametrize("found", [{"span": None}, {"place": Place.KEY}, {"place": Place.NUMBER}], ids=str)
def test_a_pseudonym_that_cannot_be_given_stops(
    judge: Decide, make_policy: MakePolicy, make_finding: MakeFinding, found: dict[str, Any]
) -> None:
    verdict = judge(make_policy(PSEUDONYMS), [make_finding(**found)])
    assert (verdict.action, verdict.effect.stop) == (ActionName.BLOCK, True)


def test_what_was_signed_may_return_to_its_pseudonym_but_not_be_masked(
    judge: Decide, policy: Policy, make_policy: MakePolicy, make_finding: MakeFinding
) -> None:
    found = [make_finding((3, 9)), make_finding((3, 9), place=Place.SEALED)]
    assert edits_of(judge(make_policy(PSEUDONYMS), found)) == [("/a", 3, 9, Pseudonym("EMAIL"))]
    assert judge(policy, found).effect.stop


def test_in_an_answer_a_pseudonym_is_a_mask(judge: Decide, make_policy: MakePolicy, make_finding: MakeFinding) -> None:
    verdict = judge(make_policy(PSEUDONYMS), [make_finding((3, 9), direction=Direction.RESPONSE)])
    assert (verdict.action, edits_of(verdict)) == (ActionName.MASK, [("/a", 3, 9, "[EMAIL]")])
    assert [(judged.action, judged.rule) for judged in verdict.judged] == [(ActionName.MASK, "personal-data")]


def test_a_mask_is_heavier_than_a_pseudonym_and_takes_both_places(
    judge: Decide, make_policy: MakePolicy, make_finding: MakeFinding
) -> None:
    policy = make_policy(f"{PSEUDONYMS[:-1]}, {{id: keys, when: {{category: credential}}, action: mask}}]")
    found = [make_finding((0, 9)), make_finding((8, 12), category=Category.CREDENTIAL, kind="JWT")]
    verdict = judge(policy, found)
    assert (verdict.action, edits_of(verdict)) == (ActionName.MASK, [("/a", 0, 12, "[JWT]")])


OVERLAPS = {
    "the longer of two": ([((0, 10), "A"), ((8, 12), "B")], [(0, 12, "[A]")]),
    "one inside the other": ([((3, 5), "A"), ((0, 10), "B")], [(0, 10, "[B]")]),
    "a chain of three": ([((0, 5), "A"), ((4, 9), "B"), ((8, 20), "C")], [(0, 20, "[C]")]),
    "two of one span": ([((0, 5), "A"), ((0, 5), "B")], [(0, 5, "[A]")]),
    "neighbours that only touch": ([((0, 5), "A"), ((5, 9), "B")], [(0, 5, "[A]"), (5, 9, "[B]")]),
}


@pytest.mark.parametrize(("found", "expected"), OVERLAPS.values(), ids=OVERLAPS.keys())
def test_edits_that_overlap_become_one_over_both(
    judge: Decide,
    policy: Policy,
    make_finding: MakeFinding,
    found: list[tuple[tuple[int, int], str]],
    expected: list[tuple[int, int, str]],
) -> None:
    verdict = judge(policy, [make_finding(span, kind=kind) for span, kind in found])
    assert edits_of(verdict) == [("/a", *edit) for edit in expected]


def test_of_overlapping_edits_the_heavier_action_names_the_replacement(
    policy: Policy, make_finding: MakeFinding, actions: Actions
) -> None:
    class Shorten:
        name = ActionName.FLAG

        def effect(self, findings: Sequence[Finding]) -> Effect:
            return Effect(edits=tuple(Edit(f.segment.pointer, Span(0, 100), "...") for f in findings))

    found = (make_finding((98, 102)), make_finding(category=Category.CREDENTIAL))
    inspection = Inspection(found, (), Coverage())
    verdict = decide(policy, inspection, NOW, "r", {**actions, ActionName.FLAG: Shorten()})
    assert edits_of(verdict) == [("/a", 0, 102, "[EMAIL]")]


# --- what nobody looked at, and who failed ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "action"),
    [
        (Unscanned.MEDIA, ActionName.FLAG),
        (Unscanned.OVERSIZE, ActionName.BLOCK),
        (Unscanned.DECODE_BUDGET, ActionName.BLOCK),
        (Unscanned.TOKEN_IDS, ActionName.ALLOW),
    ],
)
def test_what_nobody_could_look_at_is_treated_as_the_policy_says(
    judge: Decide, policy: Policy, reason: Unscanned, action: ActionName
) -> None:
    verdict = judge(policy, unscanned=[reason])
    assert (verdict.action, verdict.unscanned) == (action, (reason,))
    assert verdict.effect.stop == (action is ActionName.BLOCK)
    assert verdict.stop_reason == (StopReason.UNSCANNED if action is ActionName.BLOCK else None)


def test_the_heaviest_reason_counts(judge: Decide, policy: Policy) -> None:
    verdict = judge(policy, unscanned=[Unscanned.TOKEN_IDS, Unscanned.OVERSIZE, Unscanned.MEDIA])
    assert verdict.stop_reason is StopReason.UNSCANNED


def test_an_unscanned_flag_keeps_the_edits(judge: Decide, policy: Policy, make_finding: MakeFinding) -> None:
    verdict = judge(policy, [make_finding()], [Unscanned.MEDIA])
    assert (verdict.action, len(verdict.effect.edits)) == (ActionName.MASK, 1)


def test_an_unscanned_block_ends_the_edits(judge: Decide, policy: Policy, make_finding: MakeFinding) -> None:
    verdict = judge(policy, [make_finding()], [Unscanned.OVERSIZE])
    assert (verdict.effect.stop, verdict.effect.edits) == (True, ())


FAILED = [
    run_of("patterns", RunStatus.ERROR, required=True),
    run_of("patterns", RunStatus.UNAVAILABLE, required=True),
    run_of("patterns", RunStatus.SKIPPED, required=True),
    run_of("patterns", RunStatus.TIMEOUT, required=True),
    run_of("model", RunStatus.TIMEOUT, required=False),
    run_of("model", RunStatus.ERROR, required=False),
    run_of("model", RunStatus.UNAVAILABLE, required=False),
]


@pytest.mark.parametrize("run", FAILED, ids=lambda run: f"{run.detector} {run.status}")
def test_a_failed_detector_stops_when_the_policy_fails_closed(judge: Decide, policy: Policy, run: DetectorRun) -> None:
    verdict = judge(policy, runs=[run])
    assert (verdict.action, verdict.effect.stop) == (ActionName.ERROR, True)
    assert (verdict.stop_reason, verdict.degraded) == (StopReason.UNINSPECTED, (run.detector,))


@pytest.mark.parametrize("run", FAILED, ids=lambda run: f"{run.detector} {run.status}")
def test_a_failed_detector_is_at_least_flagged_when_the_policy_fails_open(
    judge: Decide, policy: Policy, run: DetectorRun
) -> None:
    verdict = judge(replace(policy, failure_mode=FailureMode.OPEN), runs=[run])
    assert (verdict.action, verdict.effect.stop, verdict.degraded) == (ActionName.FLAG, False, (run.detector,))


def test_failing_open_goes_on_with_what_is_known(judge: Decide, policy: Policy, make_finding: MakeFinding) -> None:
    policy = replace(policy, failure_mode=FailureMode.OPEN)
    assert judge(policy, [make_finding()], runs=FAILED[:1]).action is ActionName.MASK
    assert judge(policy, [make_finding(category=Category.JAILBREAK)], runs=FAILED[:1]).effect.stop


def test_a_block_that_was_found_stays_a_block_when_a_detector_fails(
    judge: Decide, policy: Policy, make_finding: MakeFinding
) -> None:
    verdict = judge(policy, [make_finding(category=Category.JAILBREAK)], runs=[FAILED[0], FAILED[4]])
    assert (verdict.action, verdict.stop_reason) == (ActionName.BLOCK, StopReason.FOUND)
    assert verdict.degraded == ("model", "patterns")


def test_a_skipped_refiner_is_no_failure(judge: Decide, policy: Policy) -> None:
    runs = [run_of("model", RunStatus.SKIPPED, required=False), run_of("patterns", RunStatus.OK, required=True)]
    assert judge(policy, runs=runs).action is ActionName.ALLOW


# --- modes --------------------------------------------------------------------------------------------------------


def test_mode_off_decides_nothing(judge: Decide, policy: Policy, make_finding: MakeFinding) -> None:
    verdict = judge(replace(policy, mode=Mode.OFF), [make_finding()], [Unscanned.OVERSIZE], FAILED)
    assert (verdict.action, verdict.intended_action, verdict.effect) == (ActionName.ALLOW, ActionName.ALLOW, Effect())
    assert verdict.unscanned == (Unscanned.OVERSIZE,)


def test_a_verdict_that_cannot_be_done_becomes_a_stop(judge: Decide, policy: Policy, make_finding: MakeFinding) -> None:
    verdict = judge(policy, [make_finding()]).as_stop(StopReason.FOUND)
    assert (verdict.action, verdict.intended_action) == (ActionName.BLOCK, ActionName.BLOCK)
    assert (verdict.effect, verdict.stop_reason) == (Effect(stop=True), StopReason.FOUND)


# --- properties ---------------------------------------------------------------------------------------------------

SPANS = st.one_of(st.none(), st.tuples(st.integers(0, 12), st.integers(1, 6)).map(lambda s: (s[0], s[0] + s[1])))
FINDINGS = st.lists(
    st.fixed_dictionaries(
        {
            "span": SPANS,
            "category": st.sampled_from([Category.PII, Category.PII, Category.CREDENTIAL, Category.JAILBREAK]),
            "confidence": st.sampled_from([0.2, 0.5, 1.0]),
            "pointer": st.sampled_from(["/a", "/b"]),
            "kind": st.sampled_from(["EMAIL", "PHONE"]),
            "place": st.sampled_from([Place.VALUE, Place.VALUE, Place.VALUE, Place.KEY]),
            "direction": st.sampled_from(Direction),
        }
    ),
    max_size=6,
)
REASONS = st.lists(st.sampled_from(Unscanned), unique=True)
RUNS = st.lists(st.sampled_from(FAILED), max_size=2, unique_by=lambda run: run.detector)
MODES = st.sampled_from(FailureMode)


def characters(verdict: Verdict) -> set[tuple[str, int]]:
    return {(e.pointer, i) for e in verdict.effect.edits for i in range(e.span.start, e.span.end)}


@given(found=FINDINGS, more=FINDINGS, reasons=REASONS, runs=RUNS, failure_mode=MODES)
def test_more_findings_never_lighten_a_verdict(
    judge: Decide,
    policy: Policy,
    make_finding: MakeFinding,
    found: list[dict[str, Any]],
    more: list[dict[str, Any]],
    reasons: list[Unscanned],
    runs: list[DetectorRun],
    failure_mode: FailureMode,
) -> None:
    policy = replace(policy, failure_mode=failure_mode)
    findings = [make_finding(**fields) for fields in (*found, *more)]
    fewer = judge(policy, findings[: len(found)], reasons, runs)
    all_of_them = judge(policy, findings, reasons, runs)
    if fewer.effect.stop:
        assert all_of_them.effect.stop
    elif not all_of_them.effect.stop:
        assert all_of_them.action.weight >= fewer.action.weight
        assert characters(all_of_them) >= characters(fewer)
        assert set(all_of_them.effect.labels) >= set(fewer.effect.labels)


@given(found=FINDINGS, data=st.data())
def test_the_order_of_findings_changes_neither_action_nor_what_is_edited(
    judge: Decide,
    policy: Policy,
    make_finding: MakeFinding,
    found: list[dict[str, Any]],
    data: st.DataObject,
) -> None:
    findings = [make_finding(**fields) for fields in found]
    one, other = judge(policy, findings), judge(policy, data.draw(st.permutations(findings)))
    assert (one.action, one.effect.stop, one.effect.labels) == (other.action, other.effect.stop, other.effect.labels)
    assert [e.span for e in one.effect.edits] == [e.span for e in other.effect.edits]


@given(found=FINDINGS)
def test_edits_of_one_text_never_overlap(
    judge: Decide, policy: Policy, make_finding: MakeFinding, found: list[dict[str, Any]]
) -> None:
    edits = judge(policy, [make_finding(**fields) for fields in found]).effect.edits
    for one, other in pairwise(edits):
        assert one.pointer != other.pointer or not one.span.overlaps(other.span)


@given(found=FINDINGS, reasons=REASONS, runs=RUNS, failure_mode=MODES)
def test_monitor_stops_and_edits_nothing_and_says_what_it_would_have_done(
    judge: Decide,
    policy: Policy,
    make_finding: MakeFinding,
    found: list[dict[str, Any]],
    reasons: list[Unscanned],
    runs: list[DetectorRun],
    failure_mode: FailureMode,
) -> None:
    policy = replace(policy, failure_mode=failure_mode)
    findings = [make_finding(**fields) for fields in found]
    enforced = judge(policy, findings, reasons, runs)
    watched = judge(replace(policy, mode=Mode.MONITOR), findings, reasons, runs)
    assert not watched.effect.stop
    assert watched.effect.edits == ()
    assert watched.stop_reason is None
    assert watched.action in {ActionName.ALLOW, ActionName.FLAG}
    assert watched.intended_action is enforced.action
    assert (watched.judged, watched.degraded) == (enforced.judged, enforced.degraded)


def test_models_are_allowed_by_pattern(policy: Policy) -> None:
    policy = replace(policy, models=("openai/*", "demo-small"))
    assert [policy.allows_model(m) for m in ("openai/gpt-5", "demo-small")] == [True, True]
    assert not any(
        map(policy.allows_model, ("", "Demo-small", "demo-small\n", "x/openai/gpt-5", "demo-small,openai/a"))
    )
