"""From deltas to sums: those that survive their workers, gauges that do not, labels with a bound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import orjson
import pytest

from detectors.types import DetectorRun, RunStatus, Stage
from proxy.control.sums import Sample, Sums
from proxy.telemetry.metric_names import BOUNDS
from proxy.telemetry.metrics import Finished, WorkerMetrics

Tell = Callable[[WorkerMetrics], None]


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sums(clock: Clock) -> Sums:
    return Sums(2, clock=clock)


@pytest.fixture
def tell(sums: Sums) -> Tell:
    def tell(worker: WorkerMetrics) -> None:
        worker.gauge("promptshield_held_bytes", 5)
        for datagram in worker.take():
            sums.take_in(datagram)

    return tell


def over(tenant: str) -> Finished:
    run = DetectorRun("pii", Stage.PATTERN, True, RunStatus.OK, 0, 0.0, 0.003)
    return Finished(tenant, "answered", "allow", [run], [], 0.2)


def gauges(sums: Sums, name: str) -> dict[tuple[str, ...], float]:
    return {sample.labels: sample.value for sample in sums.gauges() if sample.name == name}


def test_sums_go_on_when_a_worker_is_replaced(sums: Sums, tell: Tell) -> None:
    for _ in range(3):
        worker = WorkerMetrics(0)
        worker.finish(over("acme"))
        tell(worker)

    assert sums.counters("tenant_requests_total") == [(("acme",), 3)]
    ((_, row),) = sums.histograms("promptshield_overhead_seconds")
    assert row[-2:] == [pytest.approx(0.6), 3]
    assert sums.counters("promptshield_worker_restarts_total") == [((), 2)]


def test_what_a_dead_worker_had_in_progress_ends_with_its_replacement(sums: Sums, tell: Tell) -> None:
    dead = WorkerMetrics(0)
    dead.enter("acme")
    tell(dead)
    tell(WorkerMetrics(0))

    assert gauges(sums, "tenant_active_connections") == {}
    assert sums.live() == [0]


def test_gauges_of_several_workers_are_added_or_the_most_is_taken(sums: Sums, tell: Tell) -> None:
    for number in range(3):
        worker = WorkerMetrics(number)
        worker.enter("acme")
        worker.gauge("promptshield_policy_reload_failed", number)
        tell(worker)

    assert gauges(sums, "tenant_active_connections") == {("acme",): 3}
    assert gauges(sums, "promptshield_held_bytes") == {(): 15}
    assert gauges(sums, "promptshield_policy_reload_failed") == {(): 2}


def test_of_what_workers_say_of_a_breaker_the_most_careful_is_told(sums: Sums, tell: Tell) -> None:
    for number, state in enumerate(("closed", "open", "half_open")):
        worker = WorkerMetrics(number)
        worker.gauge("circuit_breaker_state", 1, ("judge-a", state))
        tell(worker)

    assert gauges(sums, "circuit_breaker_state") == {
        ("judge-a", "closed"): 0, ("judge-a", "half_open"): 0, ("judge-a", "open"): 1
    }  # fmt: skip


def test_a_gauge_that_is_said_no_more_is_gone(sums: Sums, tell: Tell, clock: Clock) -> None:
    worker = WorkerMetrics(0)
    worker.gauge("promptshield_policy_info", 1, ("acme", "old"))
    tell(worker)
    clock.now += 1
    worker.gauge("promptshield_policy_info", 1, ("acme", "new"))
    tell(worker)

    assert gauges(sums, "promptshield_policy_info") == {("acme", "new"): 1}


def test_a_worker_without_a_heartbeat_is_no_worker(sums: Sums, tell: Tell, clock: Clock) -> None:
    worker = WorkerMetrics(0)
    worker.enter("acme")
    tell(worker)
    clock.now += 6

    assert sums.live() == []
    assert list(sums.gauges()) == []


def test_tenants_beyond_the_cap_are_counted_as_other_everywhere(sums: Sums, tell: Tell) -> None:
    worker = WorkerMetrics(0)
    for tenant in ("one", "two", "three", "four", "one"):
        worker.finish(over(tenant))
        worker.enter(tenant)
    tell(worker)

    assert sums.counters("tenant_requests_total") == [(("one",), 2), (("other",), 2), (("two",), 1)]
    assert gauges(sums, "tenant_active_connections")["other",] == 2
    assert dict(sums.histograms("detection_duration_seconds"))["other", "pii"][-1] == 2


def test_tenants_are_one_where_they_are_not_to_be_told_apart() -> None:
    sums, worker = Sums(2, tell_tenants_apart=False), WorkerMetrics(0)
    for tenant in ("one", "two", "three"):
        worker.finish(over(tenant))
    for datagram in worker.take():
        sums.take_in(datagram)

    assert sums.counters("tenant_requests_total") == [(("all",), 3)]


def test_a_flood_of_labels_ends_at_its_bound(sums: Sums, tell: Tell) -> None:
    worker = WorkerMetrics(0)
    for number in range(10_000):
        worker.count("promptshield_requests_refused_total", (f"reason-{number}",))
    tell(worker)

    found = dict(sums.counters("promptshield_requests_refused_total"))
    assert len([reason for (reason,), count in found.items() if count]) == BOUNDS["reason"] + 1
    assert found["other",] == 10_000 - BOUNDS["reason"]


def test_a_counter_that_alerts_look_at_is_there_before_its_first_event(sums: Sums, tell: Tell) -> None:
    assert dict(sums.counters("promptshield_requests_refused_total"))["overloaded",] == 0
    worker = WorkerMetrics(0)
    worker.finish(over("acme"))
    tell(worker)

    assert sums.counters("detection_requests_total") == [(("acme", "pii", "allow"), 1), (("acme", "pii", "error"), 0)]
    assert sums.counters("promptshield_fail_open_total") == [(("acme",), 0)]


def test_requests_of_nobody_take_no_tenants_place(sums: Sums, tell: Tell) -> None:
    worker = WorkerMetrics(0)
    for tenant in ("", "one", "two"):
        worker.finish(over(tenant))
    tell(worker)

    assert [labels[0] for labels, _ in sums.counters("promptshield_requests_total")] == ["", "one", "two"]


@pytest.mark.parametrize(
    "datagram",
    [
        b"", b"{", b'{"w":0,"rows":[["c","x', b"\xff" * 100,
        orjson.dumps({"w": 0, "rows": [["z", 1], [], "x", ["c", "new_metric", ["a"], 1], ["c", 5]]}),
        orjson.dumps({"w": 0, "rows": [["h", "promptshield_overhead_seconds", [], [1.0, 2.0]]]}),
        orjson.dumps({"w": 0, "rows": [["c", "tenant_requests_total", ["a", "b"], 1]]}),
        orjson.dumps({"w": 0, "rows": [["g", "no_such_gauge", [], 1]]}),
    ],
)  # fmt: skip
def test_what_is_not_our_format_or_a_newer_one_is_dropped(sums: Sums, tell: Tell, datagram: bytes) -> None:
    worker = WorkerMetrics(0)
    worker.finish(over("acme"))
    tell(worker)
    sums.take_in(datagram)

    assert [row[-1] for _, row in sums.histograms("promptshield_overhead_seconds")] == [1]
    assert sums.counters("tenant_requests_total") == [(("acme",), 1)]
    assert Sample("no_such_gauge", 1) not in list(sums.gauges())


def test_a_policy_that_changed_often_still_tells_its_revision(sums: Sums, tell: Tell, clock: Clock) -> None:
    worker = WorkerMetrics(0)
    for number in range(2 * BOUNDS["revision"]):
        worker.gauge("promptshield_policy_info", 1, ("acme", f"r{number}"))
        tell(worker)
        assert gauges(sums, "promptshield_policy_info") == {("acme", f"r{number}"): 1}
        clock.now += 1
