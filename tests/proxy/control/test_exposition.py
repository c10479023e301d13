"""From deltas to /metrics: sums that survive their workers, gauges that do not, labels with a bound."""

from __future__ import annotations

import time
from collections.abc import Callable

import orjson
import pytest

from detectors.types import DetectorRun, RunStatus, Stage
from proxy.control.exposition import Exposition
from proxy.metrics import WorkerMetrics
from storage.courier import SinkCounts
from storage.shipper import ShippingCounts

Tell = Callable[[WorkerMetrics], None]
SEVEN = {
    "detection_requests_total", "detection_duration_seconds", "detection_confidence_histogram", "tenant_requests_total",
    "tenant_active_connections", "circuit_breaker_state", "circuit_breaker_failures_total",
}  # fmt: skip


@pytest.fixture
def exposition() -> Exposition:
    sinks = {"postgres": SinkCounts(shipped=7, lag=2, lag_seconds=1.5), "siem": SinkCounts(lost=4)}
    counts = ShippingCounts(sinks, torn_segments=3, bytes=4096)
    return Exposition(2, lambda: counts)


@pytest.fixture
def tell(exposition: Exposition) -> Tell:
    def tell(worker: WorkerMetrics) -> None:
        worker.states["heartbeat"] = time.time()
        for datagram in worker.take():
            exposition.take_in(datagram)

    return tell


def lines(exposition: Exposition, prefix: str = "") -> list[str]:
    text = exposition.text()[0].decode()
    return [line for line in text.splitlines() if line.startswith(prefix) and not line.startswith("#")]


def test_the_exposition_reads_like_this(exposition: Exposition, tell: Tell) -> None:
    worker = WorkerMetrics(0)
    worker.count("tenant_requests_total", ("acme",))
    worker.enter("acme")
    worker.detections("acme", [DetectorRun("pii", Stage.PATTERN, True, RunStatus.OK, 1, 0.7, 0.003)], [])
    tell(worker)

    found = lines(exposition)
    assert 'detection_requests_total{model="pii",result="allow",tenant_id="acme"} 1.0' in found
    assert 'tenant_requests_total{tenant_id="acme"} 1.0' in found
    assert 'tenant_active_connections{tenant_id="acme"} 1.0' in found
    assert 'detection_duration_seconds_bucket{le="0.0025",model="pii",tenant_id="acme"} 0.0' in found
    assert 'detection_duration_seconds_bucket{le="0.005",model="pii",tenant_id="acme"} 1.0' in found
    assert 'detection_duration_seconds_bucket{le="+Inf",model="pii",tenant_id="acme"} 1.0' in found
    assert 'detection_duration_seconds_sum{model="pii",tenant_id="acme"} 0.003' in found
    assert 'detection_confidence_histogram_count{model="pii",tenant_id="acme"} 1.0' in found
    assert {"promptshield_workers 1.0", "promptshield_journal_torn_segments 3.0"} <= set(found)


def test_the_journal_is_told_of_as_a_whole_and_by_sink(exposition: Exposition) -> None:
    found = lines(exposition, "promptshield_journal_")

    assert {"promptshield_journal_torn_segments 3.0", "promptshield_journal_bytes 4096.0"} <= set(found)
    assert [line for line in found if "lost" in line or "lag" in line] == [
        'promptshield_journal_lost{sink="postgres"} 0.0',
        'promptshield_journal_lost{sink="siem"} 4.0',
        'promptshield_journal_lag{sink="postgres"} 2.0',
        'promptshield_journal_lag{sink="siem"} 0.0',
        'promptshield_journal_lag_seconds{sink="postgres"} 1.5',
        'promptshield_journal_lag_seconds{sink="siem"} 0.0',
    ]
    helped = [
        line for line in exposition.text()[0].decode().splitlines() if line.startswith("# HELP promptshield_journal")
    ]
    assert len(helped) == 13  # each name once, that of the workers' failures with them


def test_the_seven_promised_names_are_there_before_anything_happened(exposition: Exposition) -> None:
    text, content_type = exposition.text()

    named = {line.split()[2].removesuffix("_total") for line in text.decode().splitlines() if line.startswith("# TYPE")}
    assert {name.removesuffix("_total") for name in SEVEN} <= named
    assert content_type.startswith("text/plain")


def test_sums_go_on_when_a_worker_is_replaced(exposition: Exposition, tell: Tell) -> None:
    for _ in range(3):
        worker = WorkerMetrics(0)
        worker.count("tenant_requests_total", ("acme",), 5)
        worker.observe("promptshield_overhead_seconds", (), 0.2)
        tell(worker)

    assert lines(exposition, "tenant_requests_total") == ['tenant_requests_total{tenant_id="acme"} 15.0']
    assert "promptshield_overhead_seconds_count 3.0" in lines(exposition)
    assert any(line.startswith("promptshield_overhead_seconds_sum 0.6") for line in lines(exposition))


def test_what_a_dead_worker_had_in_progress_ends_with_its_replacement(exposition: Exposition, tell: Tell) -> None:
    dead = WorkerMetrics(0)
    dead.enter("acme")
    tell(dead)
    tell(WorkerMetrics(0))

    assert lines(exposition, "tenant_active") == []
    assert exposition.live_workers() == 1


def test_gauges_of_several_workers_are_added(exposition: Exposition, tell: Tell) -> None:
    for number in range(3):
        worker = WorkerMetrics(number)
        worker.enter("acme")
        worker.states["limits_degraded"] = number == 1
        tell(worker)

    assert lines(exposition, "tenant_active") == ['tenant_active_connections{tenant_id="acme"} 3.0']
    assert lines(exposition, "promptshield_limits_degraded") == ["promptshield_limits_degraded_workers 1.0"]


def test_a_worker_without_a_heartbeat_is_no_worker(exposition: Exposition) -> None:
    worker = WorkerMetrics(0)
    worker.enter("acme")
    worker.states["heartbeat"] = time.time() - 60
    for datagram in worker.take():
        exposition.take_in(datagram)

    assert exposition.live_workers() == 0
    assert lines(exposition, "tenant_active") == []


def test_tenants_beyond_the_cap_are_counted_as_other_everywhere(exposition: Exposition, tell: Tell) -> None:
    worker = WorkerMetrics(0)
    for tenant in ("one", "two", "three", "four", "one"):
        worker.count("tenant_requests_total", (tenant,))
        worker.detections(tenant, [DetectorRun("pii", Stage.PATTERN, True, RunStatus.OK, 0, 0.0, 0.1)], [])
        worker.enter(tenant)
    tell(worker)

    assert lines(exposition, "tenant_requests_total") == [
        'tenant_requests_total{tenant_id="one"} 2.0',
        'tenant_requests_total{tenant_id="other"} 2.0',
        'tenant_requests_total{tenant_id="two"} 1.0',
    ]
    assert lines(exposition, "tenant_active")[-1] == 'tenant_active_connections{tenant_id="other"} 2.0'
    assert 'detection_duration_seconds_count{model="pii",tenant_id="other"} 2.0' in lines(exposition)


def test_requests_of_nobody_take_no_tenants_place(exposition: Exposition, tell: Tell) -> None:
    worker = WorkerMetrics(0)
    for tenant in ("", "one", "two"):
        worker.count("promptshield_requests_total", (tenant, "rejected", "allow"))
    tell(worker)

    found = lines(exposition, "promptshield_requests_total")
    assert [line.split('tenant_id="')[1].split('"')[0] for line in found] == ["", "one", "two"]


@pytest.mark.parametrize(
    "datagram",
    [
        b"", b"{", b'{"w":0,"rows":[["c","x', b"\xff" * 100,
        orjson.dumps({"w": 0, "rows": [["z", 1], [], "x", ["c", "new_metric", ["a"], 1], ["c", 5]]}),
        orjson.dumps({"w": 0, "rows": [["h", "promptshield_overhead_seconds", [], [1.0, 2.0]]]}),
    ],
)  # fmt: skip
def test_what_is_not_our_format_or_a_newer_one_is_dropped(exposition: Exposition, tell: Tell, datagram: bytes) -> None:
    worker = WorkerMetrics(0)
    worker.observe("promptshield_overhead_seconds", (), 0.2)
    tell(worker)
    exposition.take_in(datagram)

    assert "promptshield_overhead_seconds_count 1.0" in lines(exposition)
