"""What a worker counts, and how it hands it over: in deltas, in bounded datagrams, never waiting."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import orjson
import pytest

from detectors.types import Coverage, DetectorRun, RunStatus, Stage, Unscanned
from policies.types import ActionName, Effect, Judged, Verdict
from proxy.telemetry.generation import Generation
from proxy.telemetry.metric_names import SECONDS_BUCKETS
from proxy.telemetry.metrics import KEPT_AS_THEY_CAME, MAX_DATAGRAM, Finished, MetricsSender, WorkerMetrics

_NOTHING = Coverage()
MakeJudged = Callable[..., Judged]


def rows(metrics: WorkerMetrics) -> list[Any]:
    return [row for datagram in metrics.take() for row in orjson.loads(datagram)["rows"]]


def counters(metrics: WorkerMetrics) -> dict[tuple[str, ...], float]:
    return {(row[1], *row[2]): row[3] for row in rows(metrics) if row[0] == "c"}


def run(status: RunStatus = RunStatus.OK, hits: int = 1) -> DetectorRun:
    return DetectorRun("pii", Stage.PATTERN, True, status, hits, 0.7, 0.002)


def verdict(judged: Sequence[Judged] = (), coverage: Coverage = _NOTHING) -> Verdict:
    action = max((j.action for j in judged), key=lambda a: a.weight, default=ActionName.ALLOW)
    return Verdict(action, action, Effect(), tuple(judged), coverage, "acme", "sha256:1", "sha256:2")


def over(*runs: DetectorRun, tenant: str = "acme", judged: Sequence[Judged] = (), **more: Any) -> Finished:
    """An exchange that is over."""
    told = {"outcome": "answered", "action": "allow", "overhead": 0.001, "verdicts": [verdict(judged)]}
    return Finished(tenant=tenant, runs=runs, **{**told, **more})


def counters_of(metrics: WorkerMetrics, name: str) -> dict[tuple[str, ...], float]:
    return {key[1:]: count for key, count in counters(metrics).items() if key[0] == name}


@pytest.fixture
def metrics() -> WorkerMetrics:
    return WorkerMetrics(3)


def test_counts_are_handed_over_once(metrics: WorkerMetrics) -> None:
    metrics.count("tenant_requests_total", ("acme",))
    metrics.count("tenant_requests_total", ("acme",), 2)

    assert counters(metrics) == {("tenant_requests_total", "acme"): 3}
    assert counters(metrics) == {}


def test_segments_are_counted_by_what_became_of_them(metrics: WorkerMetrics) -> None:
    receipts = [Coverage(3, 1, {"vocabulary": 2}, {Unscanned.MEDIA: 1}), Coverage(1, 0)]
    metrics.finish(over(verdicts=[verdict(coverage=receipt) for receipt in receipts]))

    found = counters(metrics)
    assert {key[1:]: count for key, count in found.items() if key[0] == "promptshield_segments_total"} == {
        ("scanned", ""): 4, ("cached", ""): 1, ("skipped", "vocabulary"): 2, ("unscannable", "media"): 1
    }  # fmt: skip


def test_the_first_hand_over_says_that_a_worker_begins(metrics: WorkerMetrics) -> None:
    assert [rows(metrics), rows(metrics)] == [[["b"]], []]


@pytest.mark.parametrize(("seconds", "bucket"), [(0.0, 0), (0.0001, 0), (0.0002, 1), (10.0, 15), (11.0, 16)])
def test_an_observation_falls_into_its_bucket(metrics: WorkerMetrics, seconds: float, bucket: int) -> None:
    metrics.observe("promptshield_overhead_seconds", (), seconds)

    (row,) = [row for row in rows(metrics) if row[0] == "h"]
    buckets, (total, count) = row[3][:-2], row[3][-2:]
    assert len(buckets) == len(SECONDS_BUCKETS) + 1
    assert (buckets.index(1), sum(buckets), total, count) == (bucket, 1, seconds, 1)


def test_a_gauge_says_how_it_stands_and_its_zero_once(metrics: WorkerMetrics) -> None:
    metrics.enter("acme")
    metrics.enter("acme")
    rows(metrics)
    metrics.leave("acme")
    assert rows(metrics) == [["a", "acme", 1]]

    metrics.leave("acme")
    assert rows(metrics) == [["a", "acme", 0]]
    assert rows(metrics) == []


@pytest.mark.parametrize(
    ("status", "actions", "result"),
    [
        (RunStatus.OK, [], "allow"),
        (RunStatus.OK, [ActionName.FLAG, ActionName.BLOCK, ActionName.MASK], "block"),
        (RunStatus.OK, [ActionName.PSEUDONYMISE], "mask"),
        (RunStatus.SKIPPED, [], "skipped"),
        (RunStatus.TIMEOUT, [], "error"),
        (RunStatus.ERROR, [ActionName.FLAG], "error"),
        (RunStatus.UNAVAILABLE, [], "error"),
    ],
)
def test_a_detectors_result_is_the_heaviest_action_of_its_findings(
    metrics: WorkerMetrics, make_judged: MakeJudged, status: RunStatus, actions: list[ActionName], result: str
) -> None:
    judged = [make_judged(action=action) for action in actions] + [
        make_judged(detector="other", action=ActionName.BLOCK)
    ]
    metrics.finish(over(run(status), judged=judged))

    found = counters(metrics)
    assert {key: n for key, n in found.items() if key[0] == "detection_requests_total"} == {
        ("detection_requests_total", "acme", "pii", result): 1
    }


def test_a_skipped_run_took_no_time_and_a_run_without_hits_has_no_confidence(metrics: WorkerMetrics) -> None:
    metrics.finish(over(run(RunStatus.SKIPPED, 0), run(hits=0)))

    found = {row[1]: row[3][-1] for row in rows(metrics) if row[0] == "h"}
    assert found == {"detection_duration_seconds": 1, "promptshield_overhead_seconds": 1}


def test_findings_are_counted_by_category_rule_and_stage(metrics: WorkerMetrics, make_judged: MakeJudged) -> None:
    metrics.finish(over(run(), judged=[make_judged(detector="pii") for _ in range(3)]))

    assert counters_of(metrics, "promptshield_findings_total") == {("pii", "PS-PII-001", "pattern"): 3}


def test_requests_with_a_key_are_counted_for_their_tenant_and_nobodys_are_not(metrics: WorkerMetrics) -> None:
    metrics.finish(over())
    metrics.finish(over(tenant=""))

    assert counters_of(metrics, "tenant_requests_total") == {("acme",): 1}


def test_an_answer_given_although_a_detector_failed_is_counted(metrics: WorkerMetrics) -> None:
    metrics.finish(over(degraded=True))
    metrics.finish(over(degraded=True, outcome="rejected"))

    assert counters_of(metrics, "promptshield_fail_open_total") == {("acme",): 1}


def test_tokens_and_times_of_an_answer_are_told_by_the_genai_conventions(metrics: WorkerMetrics) -> None:
    labels = ("chat", "openai", "gpt-4o")
    metrics.finish(over(streaming=True, generation=Generation(labels, 2.0, 0.5, 7, 4)))

    found = {row[1]: (row[2], row[3][-2]) for row in rows(metrics) if row[0] == "h" and row[1].startswith("gen_ai")}
    assert found == {
        "gen_ai_server_request_duration_seconds": ([*labels], 2.0),
        "gen_ai_server_time_to_first_token_seconds": ([*labels], 0.5),
        "gen_ai_server_time_per_output_token_seconds": ([*labels], 0.5),
        "gen_ai_client_token_usage": ([*labels, "output"], 4),
    }  # of `input` and `output` the last one


def test_many_observations_are_the_same_as_one_by_one(metrics: WorkerMetrics) -> None:
    values = [n / 7919 % 0.3 for n in range(3 * KEPT_AS_THEY_CAME)]
    for value in values:
        metrics.observe("promptshield_overhead_seconds", (), value)

    (row,) = [row[3] for row in rows(metrics) if row[0] == "h"]
    below = [sum(value <= bound for value in values) for bound in SECONDS_BUCKETS]
    assert [sum(row[: n + 1]) for n in range(len(below))] == below
    assert row[-1] == len(values)
    assert row[-2] == pytest.approx(sum(values))


def test_every_datagram_is_bounded_and_none_is_lost(metrics: WorkerMetrics) -> None:
    for tenant in range(800):
        metrics.finish(over(run(), tenant=f"tenant-{tenant:030}"))
    datagrams = metrics.take()

    assert len(datagrams) > 3
    assert max(map(len, datagrams)) <= MAX_DATAGRAM + 100
    found = [row for datagram in datagrams for row in orjson.loads(datagram)["rows"]]
    assert len([row for row in found if row[1:2] == ["detection_requests_total"]]) == 800
    assert {orjson.loads(datagram)["w"] for datagram in datagrams} == {3}


def test_a_row_too_long_for_any_datagram_is_left_out(metrics: WorkerMetrics) -> None:
    metrics.gauge("promptshield_policy_info", 1, ("x" * 40_000, "sha256:0123456789ab"))
    metrics.gauge("promptshield_policy_reload_failed", 0)

    assert rows(metrics) == [["b"], ["g", "promptshield_policy_reload_failed", [], 0]]


@pytest.fixture
def channel() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        for end in (ours, theirs):
            end.setblocking(False)
        yield ours, theirs


def drain(channel: socket.socket) -> int:
    count = 0
    while True:
        try:
            channel.recv(1 << 17)
        except BlockingIOError:
            return count
        count += 1


def test_what_a_full_channel_does_not_take_is_sent_later(
    metrics: WorkerMetrics, channel: tuple[socket.socket, socket.socket]
) -> None:
    sender, total, received = MetricsSender(metrics, channel[0]), 0, 0
    for _ in range(600):
        metrics.count("tenant_requests_total", ("acme",))
        sender.send()
        total += 1
    received += drain(channel[1])
    assert received < total
    while sender._waiting:
        sender.send()
        received += drain(channel[1])

    assert received >= 512  # older ones may go, for a bound


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_SEQPACKET])
def test_a_control_plane_that_is_gone_stops_no_worker(metrics: WorkerMetrics, kind: int) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
    theirs.close()
    with ours:
        MetricsSender(metrics, ours).send()


def test_lookups_are_counted_from_totals_that_only_grow() -> None:
    metrics = WorkerMetrics(1)
    for total in (3, 3, 8):
        metrics.lookups({("judge", "local"): total, ("judge", "miss"): 0})

    rows = [row for raw in metrics.take() for row in orjson.loads(raw)["rows"] if row[0] == "c"]

    assert rows == [["c", "promptshield_cache_lookups_total", ["judge", "local"], 8.0]]
