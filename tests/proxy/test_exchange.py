"""An exchange becomes one row: complete, bounded, and without a word of anybody's text."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from detectors.types import Category, Coverage, DetectorRun, Direction, Place, RunStatus, Stage, Unscanned
from policies.types import ActionName, Judged, Policy, Verdict
from proxy.codec import Usage
from proxy.exchange import Exchange, digest, heaviest
from proxy.providers._openai_shapes import VOCABULARY
from proxy.recording.record import MAX_SCORES, record_of
from proxy.screen import Screened
from storage.types import DecisionRecord, Identity, Outcome

ACME = Identity(1, "acme", 2, "shop", 3)
MakeJudged = Callable[..., Judged]
MakeVerdict = Callable[..., Verdict]


@pytest.fixture
def exchange() -> Exchange:
    exchange = Exchange.open("req-1", "POST", "127.0.0.1")
    exchange.identity, exchange.vocabulary = ACME, VOCABULARY
    return exchange


def row(exchange: Exchange) -> DecisionRecord:
    return record_of(exchange, ACME, "instance-1", 7)


def scores(exchange: Exchange) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = orjson.loads(row(exchange).scores)
    return found


@pytest.mark.parametrize("request_id", [None, "", "a b", "x" * 129, "a\r\nSet-Cookie: b", "é", "<script>"])
def test_a_request_id_that_is_not_plain_is_replaced_by_ours(request_id: str | None) -> None:
    exchange = Exchange.open(request_id, "POST", "")

    assert exchange.request_id == exchange.id


def test_a_plain_request_id_is_kept_beside_our_own() -> None:
    exchange = Exchange.open("req_1:a.b-c", "POST", "")

    assert exchange.request_id == "req_1:a.b-c"
    assert abs(exchange.opened_at - time.time()) < 5


def test_until_something_else_is_known_an_exchange_was_rejected(exchange: Exchange) -> None:
    record = row(exchange)

    assert (record.outcome, record.status, record.action, record.scores) == (Outcome.REJECTED, 0, "allow", "[]")
    assert (record.tenant_id, record.app_id, record.key_id, record.instance, record.worker) == (
        1,
        2,
        3,
        "instance-1",
        7,
    )
    assert record.provider_saw_prompt is False


def test_a_row_says_how_it_ended_in_both_directions(
    exchange: Exchange, make_judged: MakeJudged, make_verdict: MakeVerdict, make_policy: Callable[[str], Policy]
) -> None:
    exchange.policy = make_policy("mode: enforce")
    found = make_judged(category=Category.CREDENTIAL, confidence=0.7, action=ActionName.MASK)
    attack = make_judged(category=Category.JAILBREAK, confidence=0.6, direction=Direction.RESPONSE)
    coverage = Coverage(4, 2, {"vocabulary": 3}, {Unscanned.MEDIA: 1})
    exchange.keep(Screened(make_verdict(ActionName.MASK, found, coverage=coverage), ()), Direction.REQUEST)
    exchange.keep(Screened(make_verdict(ActionName.FLAG, attack), ()), Direction.RESPONSE)
    exchange.usage, exchange.model = Usage(7, None), "gpt-x"
    exchange.end(Outcome.ANSWERED, 200)
    record = row(exchange)

    assert (record.action, record.request_action, record.response_action) == ("mask", "mask", "flag")
    assert (record.category, record.confidence) == ("credential", 0.6)
    assert (record.prompt_tokens, record.completion_tokens, record.mode) == (7, None, "enforce")
    assert orjson.loads(record.coverage)["request"] == {
        "scanned": 4, "cached": 2, "skipped": {"vocabulary": 3}, "unscanned": {"media": 1},
    }  # fmt: skip
    assert record.total_ms >= record.overhead_ms >= 0


def test_findings_of_one_rule_are_one_score_with_their_count_and_the_strongest_place(
    exchange: Exchange, make_judged: MakeJudged, make_verdict: MakeVerdict
) -> None:
    weak = make_judged("/messages/0/content", confidence=0.5)
    strong = make_judged("/messages/12/content", confidence=0.9)
    exchange.keep(Screened(make_verdict(ActionName.FLAG, weak, strong, weak), ()), Direction.REQUEST)

    (score,) = scores(exchange)
    assert (score["count"], score["confidence"], score["pointer"]) == (3, 0.9, "/messages/12/content")
    assert (score["content"], score["policy_rule"]) == ("hmac:c0ffee", "some-rule")


@pytest.mark.parametrize(
    ("pointer", "shown"),
    [
        ("/metadata/anna@example.org", "/metadata/*"),
        ("/metadata/4111111111111111", "/metadata/*"),
        ("/metadata/sk-ps-secret/deep", "/metadata/*/*"),
        ("/0/delta/content", "/0/delta/content"),
    ],
)
def test_a_key_that_a_client_chose_never_reaches_the_row(
    exchange: Exchange, make_judged: MakeJudged, make_verdict: MakeVerdict, pointer: str, shown: str
) -> None:
    found = make_judged(pointer, place=Place.KEY)
    exchange.keep(Screened(make_verdict(ActionName.FLAG, found), ()), Direction.REQUEST)

    assert scores(exchange)[0]["pointer"] == shown


def test_scores_are_bounded_and_the_strongest_stay(
    exchange: Exchange, make_judged: MakeJudged, make_verdict: MakeVerdict
) -> None:
    found = [make_judged(rule=f"R{i}", confidence=i / 200) for i in range(150)]
    exchange.keep(Screened(make_verdict(ActionName.FLAG, *found), ()), Direction.REQUEST)

    kept = scores(exchange)
    assert (len(kept), row(exchange).scores_overflow) == (MAX_SCORES, True)
    assert kept[0]["rule"] == "R149"


def test_a_models_name_is_printable_and_bounded(exchange: Exchange) -> None:
    exchange.model = "gpt\x1b[31m\r\n\u202e" + "x" * 1000

    name = row(exchange).model
    assert name.startswith("gpt?[31m???xxx")
    assert len(name) == 200


def test_runs_of_both_directions_are_one_account(exchange: Exchange, make_verdict: MakeVerdict) -> None:
    run = DetectorRun("pii", Stage.PATTERN, True, RunStatus.OK, 1, 0.5, 0.1)
    for direction in Direction:
        exchange.keep(Screened(make_verdict(), (run,)), direction)

    assert [(r.hits, r.seconds) for r in exchange.runs.values()] == [(2, 0.2)]


def test_detectors_that_failed_in_either_direction_are_named(exchange: Exchange, make_verdict: MakeVerdict) -> None:
    exchange.keep(Screened(make_verdict(degraded=("pii", "judge")), ()), Direction.REQUEST)
    exchange.keep(Screened(make_verdict(degraded=("pii",)), ()), Direction.RESPONSE)

    assert row(exchange).degraded == ("judge", "pii")


def test_time_of_the_upstream_is_no_overhead(exchange: Exchange) -> None:
    exchange.upstream_seconds = 1000.0

    assert exchange.overhead_seconds() == 0.0
    assert row(exchange).upstream_ms == 1_000_000


def test_what_was_sent_is_proved_by_a_hash_under_the_tenants_key() -> None:
    assert digest(b"k1", b"body") == digest(b"k1", b"body") != digest(b"k2", b"body")
    assert len(digest(b"k1", b"body")) == 32


def test_error_outweighs_block_and_nothing_is_allow() -> None:
    assert heaviest([]) is ActionName.ALLOW
    assert heaviest([ActionName.BLOCK, ActionName.ERROR, ActionName.MASK]) is ActionName.ERROR


@pytest.mark.parametrize(
    ("stage", "reason", "soon"),
    [
        (Stage.REFINER, "deadline", True),
        (Stage.REFINER, "queue_full", True),
        (Stage.REFINER, "Fail", False),
        (Stage.JUDGE, "still_judging", True),
        (Stage.JUDGE, "deadline", False),
    ],
)
def test_what_is_busy_may_decide_the_same_request_in_a_moment(
    exchange: Exchange, stage: Stage, reason: str, *, soon: bool
) -> None:
    run = DetectorRun("d", stage, False, RunStatus.UNAVAILABLE, 0, 0.0, 1.0, reason)
    exchange.runs["d"] = run

    assert exchange.soon_decided is soon
