"""From workers' deltas to /metrics: the only importer of prometheus_client, and the list of every metric's name."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from detectors.breaker import BreakerState
from proxy.control.upkeep import UpkeepCounts
from proxy.metrics import HISTOGRAMS
from storage.shipper import ShippingCounts

OTHER: Final = "other"
HEARTBEAT_LOST: Final = 5.0  # seconds after which a worker's gauges no longer count

_COUNTERS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "detection_requests_total": (
        "Exchanges by detector or judge and by the heaviest action its findings got.",
        ("tenant_id", "model", "result"),
    ),
    "tenant_requests_total": ("Requests with a valid key.", ("tenant_id",)),
    "circuit_breaker_failures_total": ("Failures counted by a judge's circuit breaker.", ("model",)),
    "promptshield_judge_calls_total": ("Calls of judges by how they ended.", ("model", "result")),
    "promptshield_judge_cost_usd_total": ("What calls of judges cost, in US dollars.", ("model",)),
    "promptshield_judge_shadow_total": ("Rulings of judges in training beside those obeyed.", ("model", "result")),
    "promptshield_judge_reload_failures_total": ("Times that changed judges did not load.", ()),
    "promptshield_requests_total": ("Exchanges by outcome and action.", ("tenant_id", "outcome", "action")),
    "promptshield_segments_total": (
        "Pieces of text by what became of them; reason: why a rule skipped them or nobody could look.",
        ("status", "reason"),
    ),
    "promptshield_cache_lookups_total": (
        "Texts by how a stage came to know of them: local, shared (Redis), joined (somebody was asking already), miss.",
        ("stage", "level"),
    ),
    "promptshield_engine_questions_total": (
        "Questions to the detection engine by how they ended; of all but answered, the proxy's own chain looked.",
        ("result",),
    ),
    "promptshield_upstream_failures_total": ("Requests that an upstream did not answer.", ("upstream", "kind")),
    "promptshield_requests_refused_total": ("Requests refused before anybody judged their text.", ("reason",)),
    "promptshield_candidate_disagreements_total": (
        "Verdicts on which a policy's candidate intends something else, by what both intend.",
        ("policy", "action", "candidate"),
    ),
    "promptshield_policy_reload_failures_total": ("Policy files that did not load.", ()),
    "promptshield_journal_failures_total": ("Decisions that could not be written to the journal.", ()),
    "promptshield_pseudonyms_lost_total": ("Pseudonyms that could not be kept, or recalled, with an object.", ()),
    "promptshield_objects_unnoted_total": ("Objects at providers that could not be noted.", ()),
    "promptshield_bodies_lost_total": ("Bodies that were not kept because their tenant's key could not be had.", ()),
}
_HISTOGRAMS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "detection_duration_seconds": ("Wall time of one detector over one body.", ("tenant_id", "model")),
    "detection_confidence_histogram": (
        "Highest confidence of a detector that found something.",
        ("tenant_id", "model"),
    ),
    "promptshield_judge_seconds": ("Time that one call of a judge took.", ("model",)),
    "promptshield_overhead_seconds": ("Time an exchange spent in PromptShield, without the upstream.", ()),
}

# The decision journal, by the fields of ShippingCounts and SinkCounts. Gauges, for they begin anew with the process.
_JOURNAL: Final[Mapping[str, str]] = {
    "interrupted": "Exchanges that never closed because their worker died.",
    "dead_letters": "Records that Postgres refused: they are in private.dead_letters.",
    "torn_segments": "Segments with a damaged part, kept as .torn in the journal folder.",
    "missing": "Decisions that lay in damaged parts of segments.",
    "file_failures": "Times that a file of the journal could not be read or removed.",
    "bytes": "Bytes of segments on the disk.",
}
_JOURNAL_SINKS: Final[Mapping[str, str]] = {
    "shipped": "Decisions that a sink took.",
    "failures": "Attempts to write to a sink, or to read for it, that are made again.",
    "refused": "Decisions that a sink would never take.",
    "lost": "Decisions that a sink did not get because it had fallen too far behind; Postgres has them.",
    "lag": "Decisions that wait for a sink.",
    "lag_seconds": "How long the oldest decision has waited for a sink.",
}

# The log's upkeep, by the fields of UpkeepCounts.
_UPKEEP: Final[Mapping[str, str]] = {
    "checkpoints": "Checkpoints of the decision chains that were signed.",
    "checkpoint_failures": "Checkpoints that could not be made or published, and are tried again.",
    "retention_failures": "Looks for what has expired that could not finish, and are made again.",
}

_CAREFUL: Final = (BreakerState.CLOSED, BreakerState.HALF_OPEN, BreakerState.OPEN)
Key = tuple[str, tuple[str, ...]]


class Exposition(Collector):
    """Sums what workers send. Counters of workers that died stay; tenants beyond the cap are counted as `other`."""

    def __init__(
        self, tenants: int, journal: Callable[[], ShippingCounts], upkeep: Callable[[], UpkeepCounts] = UpkeepCounts
    ) -> None:
        self._cap, self._journal, self._upkeep = tenants, journal, upkeep
        self._named: set[str] = set()
        self._counters: defaultdict[Key, float] = defaultdict(float)
        self._rows: dict[Key, list[float]] = {}
        self._active: dict[int, dict[str, int]] = {}
        self.states: dict[int, dict[str, Any]] = {}
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def take_in(self, datagram: bytes) -> None:
        """Add one worker's deltas. Anything but our own format is dropped."""
        try:
            message = orjson.loads(datagram)
        except orjson.JSONDecodeError:
            return
        worker: int = message["w"]
        for row in message["rows"]:
            match row:
                case ["c", name, labels, value]:
                    self._counters[name, self._capped(name, labels)] += value
                case ["h", name, labels, values]:
                    self._add_histogram((name, self._capped(name, labels)), values)
                case ["b"]:
                    self._active.pop(worker, None)
                    self.states.pop(worker, None)
                case ["a", tenant, count]:
                    self._active.setdefault(worker, {})[tenant] = count
                case ["s", name, value]:
                    self.states.setdefault(worker, {})[name] = value
                case _:  # a newer worker's row, during an upgrade
                    continue

    def text(self) -> tuple[bytes, str]:
        """Return the exposition and its content type."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST

    def live_workers(self) -> int:
        return len(self._live())

    def collect(self) -> Iterator[Metric]:
        for name, (text, labels) in _COUNTERS.items():
            counter = CounterMetricFamily(name.removesuffix("_total"), text, labels=labels)
            for values, amount in self._of(self._counters, name):
                counter.add_metric(values, amount)
            yield counter
        for name, (text, labels) in _HISTOGRAMS.items():
            yield self._histogram(name, text, labels)
        active = GaugeMetricFamily("tenant_active_connections", "Exchanges in progress.", labels=("tenant_id",))
        for tenant, count in self._active_now().items():
            active.add_metric((tenant,), count)
        yield active
        state = "1 for a judge's current breaker state, else 0."
        breakers = GaugeMetricFamily("circuit_breaker_state", state, labels=("model", "state"))
        for model, current in self._breakers().items():
            for name in BreakerState:
                breakers.add_metric((model, name), float(name is current))
        yield breakers
        yield from self._gauges()

    def _gauges(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("promptshield_workers", "Workers with a recent heartbeat.", value=self.live_workers())
        degraded = sum(1 for worker in self._live() if self.states[worker].get("limits_degraded"))
        text = "Workers that admit by their local share because Redis is away."
        yield GaugeMetricFamily("promptshield_limits_degraded_workers", text, value=degraded)
        failed = any(self.states[worker].get("policy_failures") for worker in self._live())
        text = "1 while a policy file does not load and its last good revision is in force (/policy/status says why)."
        yield GaugeMetricFamily("promptshield_policy_reload_failed", text, value=int(failed))
        text = "Workers that let nobody through to an upstream, because it failed too often in a row."
        shut = GaugeMetricFamily("promptshield_upstream_shut_workers", text, labels=("upstream",))
        for upstream, count in self._shut().items():
            shut.add_metric((upstream,), count)
        yield shut
        yield from self._journal_gauges()
        upkeep = self._upkeep()
        for name, text in _UPKEEP.items():
            yield GaugeMetricFamily(f"promptshield_{name}", text, value=getattr(upkeep, name))

    def _journal_gauges(self) -> Iterator[Metric]:
        counts = self._journal()
        for name, text in _JOURNAL.items():
            yield GaugeMetricFamily(f"promptshield_journal_{name}", text, value=getattr(counts, name))
        for name, text in _JOURNAL_SINKS.items():
            gauge = GaugeMetricFamily(f"promptshield_journal_{name}", text, labels=("sink",))
            for sink, of_sink in counts.sinks.items():
                gauge.add_metric((sink,), getattr(of_sink, name))
            yield gauge

    def _live(self) -> list[int]:
        now = time.time()
        return [w for w, s in self.states.items() if now - s.get("heartbeat", 0.0) < HEARTBEAT_LOST]

    def _shut(self) -> dict[str, int]:
        states = [self.states[worker].get("upstreams", {}) for worker in self._live()]
        names = sorted({name for state in states for name in state})
        return {name: sum(state.get(name) == "open" for state in states) for name in names}

    def _breakers(self) -> dict[str, BreakerState]:
        """Return each judge's state: of what live workers say the most careful, since they learn it one by one."""
        found: dict[str, BreakerState] = {}
        for worker in self._live():
            for model, state in self.states[worker].get("judges", {}).items():
                found[model] = max(found.get(model, BreakerState.CLOSED), BreakerState(state), key=_CAREFUL.index)
        return found

    def _active_now(self) -> dict[str, int]:
        total: defaultdict[str, int] = defaultdict(int)
        for worker in self._live():
            for tenant, count in self._active.get(worker, {}).items():
                total[self._label(tenant)] += count
        return total

    def _histogram(self, name: str, text: str, labels: tuple[str, ...]) -> Metric:
        family = HistogramMetricFamily(name, text, labels=labels)
        bounds = [str(bound) for bound in HISTOGRAMS[name]] + ["+Inf"]
        for values, row in self._of(self._rows, name):
            cumulated, total = [], 0.0
            for bound, count in zip(bounds, row, strict=False):
                total += count
                cumulated.append((bound, total))
            family.add_metric(values, cumulated, sum_value=row[-2])
        return family

    def _of(self, table: Mapping[Key, Any], name: str) -> Iterable[tuple[tuple[str, ...], Any]]:
        return sorted((labels, value) for (found, labels), value in table.items() if found == name)

    def _add_histogram(self, key: Key, values: list[float]) -> None:
        row = self._rows.setdefault(key, [0.0] * len(values))
        if len(row) == len(values):  # else a newer worker's buckets, during an upgrade
            self._rows[key] = [a + b for a, b in zip(row, values, strict=True)]

    def _capped(self, name: str, labels: list[str]) -> tuple[str, ...]:
        known = _COUNTERS.get(name) or _HISTOGRAMS.get(name)
        if known is None or "tenant_id" not in known[1]:
            return tuple(labels)
        return (self._label(labels[0]), *labels[1:])

    def _label(self, tenant: str) -> str:
        if not tenant:  # nobody's: a request without a valid key
            return tenant
        if tenant not in self._named and len(self._named) < self._cap:
            self._named.add(tenant)
        return tenant if tenant in self._named else OTHER
