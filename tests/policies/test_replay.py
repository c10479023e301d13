"""A recorded decision is decided again from its row as it would be from all that was found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.chain import Inspection
from detectors.rules import RuleSet
from detectors.types import (
    Category,
    Coverage,
    DetectorRun,
    Direction,
    Finding,
    Origin,
    Place,
    RunStatus,
    Stage,
    Unscanned,
)
from policies.engine import Actions, decide
from policies.loader import load_policy, load_preset
from policies.looked_for import Knowledge
from policies.recorded import Catalogue, Recorded
from policies.replay import STOPS, Doubt, Replay
from policies.types import ActionName, Facts, Policy
from proxy.exchange import Exchange, heaviest
from proxy.recording.record import record_of
from storage.types import Identity, Outcome
from tests.policies.conftest import MakeFinding, MakePolicy

ACME = Identity(1, "acme", 2, "shop", 3)
AT = 1.8e9
FAILED = DetectorRun("pii", Stage.PATTERN, True, RunStatus.ERROR, 0, 0.0, 0.0, "x")
RULES = {
    "PS-INJ-001": Category.PROMPT_INJECTION,
    "PS-INJ-018": Category.PROMPT_INJECTION,
    "PS-CRED-001": Category.CREDENTIAL,
    "PS-PII-001": Category.PII,
    "PS-EXF-002": Category.EXFILTRATION,
    "PS-X-001": Category.HARMFUL_REQUEST,
}
FOUND = st.lists(
    st.fixed_dictionaries(
        {
            "span": st.sampled_from([None, (0, 4), (2, 9)]),
            "rule": st.sampled_from(sorted(RULES)),
            "confidence": st.sampled_from([0.2, 0.45, 0.5, 0.79, 0.8, 1.0]),
            "pointer": st.sampled_from(["/a", "/b"]),
            "origin": st.sampled_from([Origin.USER, Origin.TOOL]),
            "place": st.sampled_from([Place.VALUE, Place.VALUE, Place.NUMBER]),
            "direction": st.sampled_from(Direction),
            "content": st.sampled_from(["a" * 32, "b" * 32]),
        }
    ),
    max_size=8,
)
POLICIES = [load_preset(name).policy for name in ("preset/standard", "preset/strict", "pack/gdpr", "pack/agents")]
Row = Callable[..., Recorded]


@pytest.fixture(scope="module")
def catalogue(rules: RuleSet) -> Catalogue:
    return Catalogue.of(rules)


def inspected(findings: list[Finding], reasons: list[Unscanned], runs: list[DetectorRun]) -> Inspection:
    return Inspection(tuple(findings), tuple(runs), Coverage(1, 0, {}, dict.fromkeys(reasons, 1)))


def exchange_of(policy: Policy, seen: dict[Direction, Inspection], actions: Actions) -> Exchange:
    exchange = Exchange.open(None, "POST", "192.0.2.1")
    exchange.policy, exchange.identity, exchange.outcome = policy, ACME, Outcome.ANSWERED
    for direction, inspection in seen.items():
        verdict = decide(policy, inspection, Facts(at=AT), "r", actions)
        setattr(exchange, direction, verdict)
    return exchange


def recorded(exchange: Exchange) -> Recorded:
    row = record_of(exchange, ACME, "i", 0)
    return Recorded(
        id=row.id, at=AT, tenant="acme", app="shop", key_id=3, dialect="", route="", model="", upstream="",
        streaming=False, network="192.0.2.1", outcome=row.outcome, intended_action=row.intended_action,
        scores=row.scores, scores_overflow=row.scores_overflow, facts=row.facts, coverage=row.coverage,
        degraded=row.degraded, policy_revision=row.policy_revision,
    )  # fmt: skip


@given(
    found=FOUND,
    reasons=st.lists(st.sampled_from([Unscanned.MEDIA, Unscanned.OVERSIZE]), max_size=1),
    runs=st.sampled_from([[], [], [FAILED]]),
    then=st.sampled_from(POLICIES),
    now=st.sampled_from(POLICIES),
)
def test_a_row_is_decided_as_everything_that_was_found_would_be(
    make_finding: MakeFinding,
    actions: Actions,
    catalogue: Catalogue,
    found: list[dict[str, Any]],
    reasons: list[Unscanned],
    runs: list[DetectorRun],
    then: Policy,
    now: Policy,
) -> None:
    findings = [make_finding(category=RULES[fields["rule"]], kind="EMAIL", **fields) for fields in found]
    seen = {
        direction: inspected(
            [finding for finding in findings if finding.segment.direction is direction],
            reasons,
            runs if direction is Direction.RESPONSE else [],
        )
        for direction in Direction
    }
    again = Replay(now, catalogue, actions).decide(recorded(exchange_of(then, seen, actions)))
    verdicts = [decide(now, inspection, Facts(at=AT), "r", actions) for inspection in seen.values()]
    assert again.action is heaviest([verdict.intended_action for verdict in verdicts])
    decided_then = heaviest([decide(then, seen[one], Facts(at=AT), "r", actions).intended_action for one in seen])
    sure = Knowledge.of(now, ()).covers(then.revision)
    assert again.doubt is (None if sure or {again.action, decided_then} & STOPS else Doubt.NOT_LOOKED_FOR)


@pytest.fixture
def row(make_finding: MakeFinding, actions: Actions) -> Row:
    def make(policy: Policy, *findings: Finding, **changes: Any) -> Recorded:
        seen = {Direction.REQUEST: inspected(list(findings), [], [])}
        return recorded(exchange_of(policy, seen, actions))._replace(**changes)

    return make


def test_new_blocks_and_new_allows_are_counted_by_app_and_rule(
    make_finding: MakeFinding, catalogue: Catalogue, actions: Actions, row: Row
) -> None:
    standard, strict = load_preset("preset/standard").policy, load_preset("preset/strict").policy
    key = make_finding(category=Category.CREDENTIAL, rule="PS-CRED-001")
    for then, now, what, rule in (
        (standard, strict, "newly_blocked", "credentials"),
        (strict, standard, "newly_allowed", "credentials"),
    ):
        replay = Replay(now, catalogue, actions, samples=2)
        rows = [row(then, key), row(then), row(then, key), row(then, key)]
        for one in rows:
            replay.take(one)
        assert replay.tally.by[what, "acme/shop", rule] == 3
        assert replay.tally.samples[what, "acme/shop", rule] == [rows[0].id, rows[2].id]
        assert replay.tally.share(getattr(replay.tally, what)) == 0.75


@pytest.mark.parametrize("word", ["when: {category: pii, min_risk: 2}", "if: 'category == \"pii\" && risk >= 2.0'"])
def test_what_was_found_at_another_risk_is_decided_by_itself(
    make_policy: MakePolicy, make_finding: MakeFinding, catalogue: Catalogue, actions: Actions, row: Row, word: str
) -> None:
    policy = make_policy(f"rules: [{{id: risky, {word}, action: block}}]")
    mail, replay = make_finding(category=Category.PII, rule="PS-PII-001"), Replay(policy, catalogue, actions)
    rows = [row(policy, mail, facts=facts) for facts in ("{}", '{"risk": 3.5}', '{"risk": 0.5}')]
    assert [replay.decide(one).action for one in rows] == [ActionName.ALLOW, ActionName.BLOCK, ActionName.ALLOW]


def test_what_was_found_with_other_models_to_take_over_is_decided_by_itself(
    make_policy: MakePolicy, make_finding: MakeFinding, catalogue: Catalogue, actions: Actions, row: Row
) -> None:
    policy = make_policy("rules: [{id: strong, when: {category: pii, model: 'strong-*'}, action: block}]")
    mail, replay = make_finding(category=Category.PII, rule="PS-PII-001"), Replay(policy, catalogue, actions)
    rows = [row(policy, mail, facts=facts) for facts in ("{}", '{"fallbacks": ["strong-1"]}', "{}")]
    assert [replay.decide(one).action for one in rows] == [ActionName.ALLOW, ActionName.BLOCK, ActionName.ALLOW]


@pytest.mark.parametrize("more", ["", "risk: {block_at: 4}\n"])
def test_what_was_spent_or_risked_where_nobody_noted_it_is_undecidable(
    make_policy: MakePolicy, make_finding: MakeFinding, catalogue: Catalogue, actions: Actions, row: Row, more: str
) -> None:
    word = "min_risk: 2" if more else "min_cost: 2"
    policy = make_policy(f"{more}rules: [{{id: dear, when: {{category: pii, {word}}}, action: block}}]")
    noted = make_policy(f"{more}rules: [{{id: other, when: {{category: pii, {word}}}, action: flag}}]")
    mail = make_finding(category=Category.PII, rule="PS-PII-001")
    replay = Replay(policy, catalogue, actions, known=[POLICIES[0], noted])
    doubts = [replay.decide(row(then, mail)).doubt for then in (POLICIES[0], noted, policy)]
    assert doubts == [Doubt.UNKNOWN_FACT, None, None]


def test_an_excused_finding_counts_again_without_its_exclusion(
    make_policy: MakePolicy, make_finding: MakeFinding, catalogue: Catalogue, actions: Actions, row: Row
) -> None:
    excuse = "exclusions: [{rule: PS-INJ-001, origin: user, until: 2999-01-01, owner: sec, reason: quoted}]"
    excused = make_policy(f"extends: preset/standard\n{excuse}")
    finding = make_finding(category=Category.PROMPT_INJECTION, rule="PS-INJ-001")
    again = Replay(load_preset("preset/standard").policy, catalogue, actions).take(row(excused, finding))
    assert again is not None
    assert (again.action, again.doubt) == (ActionName.BLOCK, None)


def test_what_was_rejected_before_anybody_judged_it_is_left_out(
    catalogue: Catalogue, actions: Actions, row: Row
) -> None:
    replay = Replay(POLICIES[0], catalogue, actions)
    assert replay.take(row(POLICIES[0], outcome="rejected")) is None
    assert (replay.tally.decisions, replay.tally.judged) == (1, 0)


@pytest.mark.parametrize(
    ("changes", "rule", "doubt"),
    [
        ({"scores_overflow": True}, "", Doubt.OVERFLOW),
        ({"facts": '{"skipped":["judge"]}', "intended_action": "block"}, "", Doubt.SKIPPED),
        ({"network": None}, "{id: n, when: {network: 10.0.0.0/8}, action: block}", Doubt.UNKNOWN_FACT),
        ({"network": "10.1.2.3"}, "{id: n, when: {network: 10.0.0.0/8}, action: flag}", None),
    ],
)
def test_what_a_row_does_not_tell_is_undecidable(
    make_policy: MakePolicy, make_finding: MakeFinding, catalogue: Catalogue, actions: Actions, row: Row,
    changes: dict[str, Any], rule: str, doubt: Doubt | None,
) -> None:  # fmt: skip
    policy = make_policy(f"extends: preset/standard\nrules: [{rule}]")
    replay = Replay(policy, catalogue, actions)
    again = replay.take(row(POLICIES[0], make_finding(), **changes))
    assert again is not None
    assert again.doubt is doubt
    assert replay.tally.undecidable == (doubt is not None)


def test_an_exclusion_of_one_of_several_contents_is_undecidable(
    make_policy: MakePolicy, make_finding: MakeFinding, catalogue: Catalogue, actions: Actions, row: Row
) -> None:
    same = "a" * 32
    excuse = f"exclusions: [{{rule: PS-PII-001, content: 'hmac:{same}', until: 2999-01-01, owner: sec, reason: known}}]"
    policy = make_policy(f"extends: preset/strict\n{excuse}")
    replay = Replay(policy, catalogue, actions)
    one, other = make_finding(content=same), make_finding(content="b" * 32, pointer="/b")
    assert replay.decide(row(POLICIES[0], one)).doubt is None
    assert replay.decide(row(POLICIES[0], one, other)).doubt is Doubt.REPEATED


def test_a_row_of_before_places_and_severities_were_kept_is_read(
    make_finding: MakeFinding, catalogue: Catalogue, actions: Actions, row: Row
) -> None:
    old = row(POLICIES[0], make_finding())
    for gone in ('"place":"value",', '"severity":"medium"'):
        assert gone in old.scores
        old = old._replace(scores=old.scores.replace(f",{gone}" if gone.endswith('"') else gone, ""))
    assert Replay(POLICIES[1], catalogue, actions).decide(old).action is ActionName.MASK


HARM = "extends: preset/standard\nrules: [{id: harm, when: {category: harmful_request}, action: block}]\n"


def quiet_row(revision: str) -> Recorded:
    """An answered decision in which nothing was found."""
    return Recorded(
        "id", AT, "acme", "shop", 3, "openai_chat", "POST /v1/chat/completions", "m", "u", False, None, "answered",
        "allow", "[]", False, "{}", '{"request": {}}', (), revision,
    )  # fmt: skip


def loaded(tmp_path: Path, text: str) -> Policy:
    (tmp_path / "acme.yaml").write_text(text)
    return load_policy(tmp_path / "acme.yaml", "acme").policy


@pytest.mark.parametrize(
    "more",
    [
        "rules: [{id: harm, when: {category: harmful_request}, action: block}]",
        "keywords: [{id: names, words: [falcon]}]\nrules: [{id: kw, when: {rule: KW-names}, action: block}]",
        "levels: {user: 4}",
        "leakage: {canary: true}",
    ],
)
def test_what_was_not_looked_for_then_is_no_proof(
    tmp_path: Path, catalogue: Catalogue, actions: Actions, more: str
) -> None:
    policy, other = loaded(tmp_path, f"extends: preset/standard\n{more}\n"), load_preset("preset/standard").policy
    replay = Replay(policy, catalogue, actions, known=[other])
    assert replay.reads_every_row
    for revision, doubt in ((other.revision, Doubt.NOT_LOOKED_FOR), ("sha256:gone", Doubt.NOT_LOOKED_FOR)):
        assert replay.decide(quiet_row(revision)).doubt is doubt
    assert replay.decide(quiet_row(policy.revision)).doubt is None
    assert not Replay(other, catalogue, actions, known=[policy]).reads_every_row


@pytest.mark.parametrize("less", ["levels: {user: 1}", "leakage: {fingerprints: false}"])
def test_a_policy_that_looked_for_less_than_others_is_no_proof(
    tmp_path: Path, catalogue: Catalogue, actions: Actions, less: str
) -> None:
    shallow, standard = loaded(tmp_path, f"extends: preset/standard\n{less}\n"), load_preset("preset/standard").policy
    replay = Replay(standard, catalogue, actions, known=[shallow])
    assert replay.reads_every_row
    assert replay.decide(quiet_row(shallow.revision)).doubt is Doubt.NOT_LOOKED_FOR
    assert replay.decide(quiet_row("sha256:gone")).doubt is None  # as presets look, everybody may be assumed to


def test_what_was_stopped_and_is_not_any_more_is_newly_allowed_whatever_else_is_looked_for(
    tmp_path: Path, make_finding: MakeFinding, catalogue: Catalogue, actions: Actions, row: Row
) -> None:
    lax = loaded(
        tmp_path,
        "extends: preset/monitor\nkeywords: [{id: names, words: [falcon]}]\nleakage: {canary: true}\n",
    )
    stopped = row(load_preset("preset/strict").policy, make_finding(category=Category.CREDENTIAL, rule="PS-CRED-001"))
    replay = Replay(lax, catalogue, actions)
    replay.take(stopped)
    assert (replay.tally.newly_allowed, replay.tally.undecidable) == (1, 0)


def test_another_policy_that_looks_for_the_same_is_one(tmp_path: Path, catalogue: Catalogue, actions: Actions) -> None:
    before = loaded(tmp_path, HARM)
    after = loaded(tmp_path, HARM + "failure_mode: open\n")
    assert Replay(after, catalogue, actions, known=[before]).decide(quiet_row(before.revision)).doubt is None
    assert Replay(after, catalogue, actions).decide(quiet_row(before.revision)).doubt is Doubt.NOT_LOOKED_FOR
