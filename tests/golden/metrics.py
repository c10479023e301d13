"""The exposition as Prometheus reads it after a made-up minute, and the page that lists every metric."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from detectors.types import Coverage, DetectorRun, RunStatus, Stage
from policies.types import ActionName, Effect, Verdict
from proxy.control.exposition import Exposition, journal_samples, upkeep_samples
from proxy.control.sums import Sample, Sums
from proxy.control.upkeep import UpkeepCounts
from proxy.telemetry.generation import Generation
from proxy.telemetry.metric_names import BOUNDS, METRICS, MetricName
from proxy.telemetry.metrics import Finished, WorkerMetrics
from storage.journal.courier import SinkCounts
from storage.journal.shipper import ShippingCounts

EXPOSITION: Final = Path(__file__).parent / "exposition.txt"
PAGE: Final = Path(__file__).parents[2] / "docs" / "metrics.md"
_HEAD: Final = """# Metrics

`GET /metrics` on the control plane (port 8001), made from `proxy/telemetry/metric_names.py` (`make golden` writes
this page).
Counters of a worker that died stay in the sums. A label has at most as many values as the table says, then `other`;
`tenant_id` has as many as `metrics.tenants` (50), or `all` alone with `metrics.tenant_label: false`. A tenant beyond
its number counts as `other` in histograms too.

The names that begin with `gen_ai_` are those of OpenTelemetry's conventions for generative AI, as its Prometheus
exporter spells them. A model's name becomes a label only if it could be one; anything else is `other`.

| metric | kind | labels | what it tells |
|---|---|---|---|
"""


def exposition_text() -> str:
    """Return what /metrics says after one exchange that found something and was answered as a stream."""
    sums = Sums(50, clock=lambda: 1.0)
    worker = WorkerMetrics(0)
    worker.enter("acme")
    worker.gauge("promptshield_policy_info", 1, ("acme", "sha256:0123456789ab"))
    worker.gauge("promptshield_in_flight_exchanges", 1)
    worker.count("promptshield_requests_refused_total", ("invalid_api_key",))
    worker.finish(_finished())
    for datagram in worker.take():
        sums.take_in(datagram)
    shipped = ShippingCounts({"postgres": SinkCounts(shipped=7, lag=2, lag_seconds=1.5)}, bytes=4096)
    sources = [_instance, lambda: journal_samples(shipped, 1 << 30), lambda: upkeep_samples(UpkeepCounts(1))]
    return Exposition(sums, sources).text()[0].decode()


def metrics_page() -> str:
    """Return docs/metrics.md."""
    return _HEAD + "".join(f"| `{m.name}` | {m.kind} | {_labels(m)} | {m.help} |\n" for m in METRICS)


def _labels(metric: MetricName) -> str:
    return ", ".join(f"`{label}` ({BOUNDS.get(label, 'setting')})" for label in metric.labels)


def _instance() -> Iterator[Sample]:
    yield Sample("promptshield_workers", 1)


def _finished() -> Finished:
    run = DetectorRun("pii", Stage.PATTERN, True, RunStatus.OK, 1, 0.7, 0.003)
    receipt = Coverage(3, 1, {"vocabulary": 2})
    flag = ActionName.FLAG
    verdict = Verdict(flag, flag, Effect(), (), receipt, "acme", "sha256:1", "sha256:2")
    generation = Generation(("chat", "openai", "gpt-4o"), 2.0, 0.5, 7, 4)
    return Finished("acme", "answered", flag, [run], [verdict], 0.004, False, True, 0.02, generation)
