"""What /metrics shows: every declared metric, the workers' sums and what the control plane knows itself."""

from __future__ import annotations

import re
from pathlib import Path

import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families

import proxy
from proxy.control.exposition import Exposition, journal_samples
from proxy.control.sums import Sums
from proxy.telemetry.metric_names import BOUNDS, BY_NAME, METRICS, Kind
from proxy.telemetry.metrics import WorkerMetrics
from storage.journal.courier import SinkCounts
from storage.journal.shipper import ShippingCounts

SEVEN = {
    "detection_requests_total", "detection_duration_seconds", "detection_confidence_histogram", "tenant_requests_total",
    "tenant_active_connections", "circuit_breaker_state", "circuit_breaker_failures_total",
}  # fmt: skip


@pytest.fixture
def exposition() -> Exposition:
    sinks = {"postgres": SinkCounts(shipped=7, lag=2, lag_seconds=1.5), "siem": SinkCounts(lost=4)}
    counts = ShippingCounts(sinks, torn_segments=3, bytes=4096)
    return Exposition(Sums(2), [lambda: journal_samples(counts, 1 << 30)])


def lines(exposition: Exposition, prefix: str = "") -> list[str]:
    text = exposition.text()[0].decode()
    return [line for line in text.splitlines() if line.startswith(prefix) and not line.startswith("#")]


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


def test_every_declared_metric_is_there_before_anything_happened(exposition: Exposition) -> None:
    text, content_type = exposition.text()

    named = {family.name for family in text_string_to_metric_families(text.decode())}
    assert named == {metric.name.removesuffix("_total") for metric in METRICS}
    assert {name.removesuffix("_total") for name in SEVEN} <= named
    assert content_type.startswith("text/plain")


def test_a_counter_without_labels_begins_with_zero(exposition: Exposition) -> None:
    assert lines(exposition, "promptshield_journal_failures_total") == ["promptshield_journal_failures_total 0.0"]


def test_every_label_has_a_bound_and_every_counter_its_suffix() -> None:
    labels = {label for metric in METRICS for label in metric.labels}
    assert labels - {"tenant_id"} == set(BOUNDS)
    assert {m.name for m in METRICS if m.name.endswith("_total")} == {m.name for m in METRICS if m.kind is Kind.COUNTER}
    assert {m.name for m in METRICS if m.buckets} == {m.name for m in METRICS if m.kind is Kind.HISTOGRAM}


def test_a_histogram_is_read_as_it_was_counted() -> None:
    sums, worker = Sums(2), WorkerMetrics(0)
    for value in (0.15, 0.5, 0.95, 0.95):
        worker.observe("detection_confidence_histogram", ('a\\"c\n', "pii"), value)
    for datagram in worker.take():
        sums.take_in(datagram)

    families = {family.name: family for family in text_string_to_metric_families(Exposition(sums).text()[0].decode())}
    samples = families["detection_confidence_histogram"].samples
    assert {sample.labels["tenant_id"] for sample in samples} == {'a\\"c\n'}
    below = {sample.labels["le"]: sample.value for sample in samples if "le" in sample.labels}
    assert [below[le] for le in ("0.1", "0.2", "0.4", "0.5", "0.9", "1.0", "+Inf")] == [0, 1, 1, 2, 2, 4, 4]
    assert [sample.value for sample in samples if "le" not in sample.labels] == [2.55, 4]


def test_whatever_the_proxy_counts_is_declared() -> None:
    sources = Path(proxy.__file__).parent.rglob("*.py")
    named = {name for file in sources for name in re.findall(r'"(promptshield_\w+)"', file.read_text())}
    assert named - {"promptshield_journal_", "promptshield_"} == {name for name in named if name in BY_NAME}


def test_a_line_break_in_a_label_ends_no_line(exposition: Exposition) -> None:
    sums = Sums(2)
    rows = [["c", "tenant_requests_total", ['a"\n} 9'], 1]]
    sums.take_in(orjson.dumps({"w": 0, "rows": rows}))

    assert lines(Exposition(sums), "tenant_requests") == ['tenant_requests_total{tenant_id="a\\"\\n} 9"} 1.0']
