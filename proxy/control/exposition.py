"""From sums and gauges to /metrics: the only importer of prometheus_client."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from proxy.control.sums import Labels, Sample, Sums
from proxy.telemetry.metric_names import JOURNAL, METRICS, SINKS, UPKEEP, Kind, MetricName
from storage.journal.courier import SinkCounts
from storage.journal.shipper import ShippingCounts

Source = Callable[[], Iterable[Sample]]
_JOURNAL: Final = "promptshield_journal_"


class Exposition(Collector):
    """Shows every metric of `metric_names`, those without a series too: what workers sent, and what `sources` say."""

    def __init__(self, sums: Sums, sources: Sequence[Source] = ()) -> None:
        self._sums, self._sources = sums, sources
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def text(self) -> tuple[bytes, str]:
        """Return the exposition and its content type."""
        histograms = (line for m in METRICS if m.kind is Kind.HISTOGRAM for line in self._histogram(m))
        return generate_latest(self._registry) + "".join(histograms).encode(), CONTENT_TYPE_LATEST

    def collect(self) -> Iterator[Metric]:
        said: defaultdict[str, list[tuple[Labels, float]]] = defaultdict(list)
        for source in (self._sums.gauges, *self._sources):
            for name, value, labels in source():
                said[name].append((labels, value))
        for metric in METRICS:
            match metric.kind:
                case Kind.COUNTER:
                    counter = CounterMetricFamily(metric.name.removesuffix("_total"), metric.help, labels=metric.labels)
                    for labels, value in [*self._counted(metric), *said[metric.name]]:
                        counter.add_metric(labels, value)
                    yield counter
                case Kind.GAUGE:
                    gauge = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
                    for labels, value in said[metric.name]:
                        gauge.add_metric(labels, value)
                    yield gauge
                case Kind.HISTOGRAM:
                    continue

    def _counted(self, metric: MetricName) -> Sequence[tuple[Labels, float]]:
        """Without labels there is always one series: a rate wants its zero."""
        return self._sums.counters(metric.name) or ([] if metric.labels else [((), 0.0)])

    def _histogram(self, metric: MetricName) -> Iterator[str]:
        """Yield one histogram in the text format. Nine lines of ten are of histograms, and the library takes 11 us for
        each: with the label pairs written once a series, it is a tenth of that.
        """
        yield f"# HELP {metric.name} {metric.help}\n# TYPE {metric.name} histogram\n"
        ends = [f'le="{bound}"}} ' for bound in (*map(str, metric.buckets), "+Inf")]
        for labels, row in self._sums.histograms(metric.name):
            pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in zip(metric.labels, labels, strict=True))
            head = f"{metric.name}_bucket{{{pairs}{',' if pairs else ''}"
            for end, count in zip(ends, accumulate(row), strict=False):
                yield f"{head}{end}{count}\n"
            whose = f"{{{pairs}}}" if pairs else ""
            yield f"{metric.name}_sum{whose} {row[-2]}\n{metric.name}_count{whose} {row[-1]}\n"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def journal_samples(counts: ShippingCounts, limit: int) -> Iterator[Sample]:
    """Yield how the decision journal stands: as a whole, then by sink; `limit` is its bound in bytes."""
    yield Sample("promptshield_journal_limit_bytes", limit)
    for metric in JOURNAL:
        field = metric.name.removeprefix(_JOURNAL)
        if field != "limit_bytes":
            yield Sample(metric.name, getattr(counts, field))
    for metric in SINKS:
        for sink, of_sink in counts.sinks.items():
            yield Sample(metric.name, _of(of_sink, metric), (sink,))


def upkeep_samples(counts: object) -> Iterator[Sample]:
    """Yield how the log's upkeep stands, from UpkeepCounts."""
    return (Sample(m.name, getattr(counts, m.name.removeprefix("promptshield_"))) for m in UPKEEP)


def _of(counts: SinkCounts, metric: MetricName) -> float:
    value: float = getattr(counts, metric.name.removeprefix(_JOURNAL))
    return value
