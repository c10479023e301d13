"""What workers counted, added up: sums that survive their workers, gauges that do not, labels within their bounds."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import orjson

from detectors.words import BreakerState
from proxy.telemetry.metric_names import BOUNDS, BY_NAME, METRICS, OTHER, Kind, Merge, MetricName

HEARTBEAT_LOST: Final = 5.0  # seconds after which a worker's gauges no longer count
_BREAKER: Final = "circuit_breaker_state"
_CAREFUL: Final = tuple(map(str, (BreakerState.CLOSED, BreakerState.HALF_OPEN, BreakerState.OPEN)))
# Values of these come and go, and only gauges have them: what counts is how many there are now.
_PASSING: Final = ("revision",)
ALL_TENANTS: Final = "all"  # what `tenant_id` says where tenants are not told apart
Labels = tuple[str, ...]


class Sample(NamedTuple):
    """One gauge or counter as it stands; `labels` in the order of its metric's."""

    name: str
    value: float
    labels: Labels = ()


class Sums:
    """Takes in datagrams of workers. `tenants` get a label of their own, the others count together as `other`."""

    def __init__(
        self, tenants: int, *, tell_tenants_apart: bool = True, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._bounds: Mapping[str, int] = {**BOUNDS, "tenant_id": tenants}
        self._apart, self._clock = tell_tenants_apart, clock
        self._named: defaultdict[str, set[str]] = defaultdict(set)
        self._counters: defaultdict[str, dict[Labels, float]] = defaultdict(dict)
        self._rows: defaultdict[str, dict[Labels, list[float]]] = defaultdict(dict)
        self._active: defaultdict[int, dict[str, float]] = defaultdict(dict)
        self._gauges: defaultdict[int, dict[tuple[str, Labels], float]] = defaultdict(dict)
        self._heard: dict[int, float] = {}
        for metric in METRICS:
            if len(metric.labels) == 1:
                self._begin_series(metric, ())

    def take_in(self, datagram: bytes) -> None:
        """Add one worker's deltas. Anything but our own format is dropped."""
        try:
            message = orjson.loads(datagram)
        except orjson.JSONDecodeError:
            return
        worker: int = message["w"]
        said: dict[tuple[str, Labels], float] = {}
        for row in message["rows"]:
            match row:
                case ["c", name, labels, value]:
                    self._add(name, labels, value)
                case ["h", name, labels, values]:
                    self._add_histogram(name, labels, values)
                case ["b"]:
                    self._begin(worker)
                case ["a", tenant, count]:
                    self._active[worker][tenant] = count
                case ["g", name, labels, value]:
                    said[name, tuple(labels)] = value
                case _:  # a newer worker's row
                    continue
        if said:  # a gauge that is said no more is no more, also in a second datagram of the same hand-over
            fresh = self._heard.get(worker, 0.0) < self._clock() - 0.5
            self._gauges[worker] = said if fresh else {**self._gauges[worker], **said}
            self._heard[worker] = self._clock()

    def live(self) -> list[int]:
        """Return the workers that were heard of lately, by the time that passed here: no clock of theirs is asked."""
        now = self._clock()
        return [worker for worker, at in self._heard.items() if now - at < HEARTBEAT_LOST]

    def counters(self, name: str) -> Sequence[tuple[Labels, float]]:
        return sorted(self._counters[name].items())

    def histograms(self, name: str) -> Sequence[tuple[Labels, list[float]]]:
        """Return each series' counts by bucket, then sum and count."""
        return sorted(self._rows[name].items())

    def gauges(self) -> Iterator[Sample]:
        """Yield what live workers said, merged as the metric asks."""
        merged: dict[tuple[str, Labels], float] = {}
        for label in _PASSING:
            self._named[label].clear()
        for worker in self.live():
            active = [(("tenant_active_connections", (t,)), float(n)) for t, n in self._active[worker].items()]
            for (name, labels), value in [*self._gauges[worker].items(), *active]:
                metric = BY_NAME.get(name)
                if metric is None or metric.kind is not Kind.GAUGE:
                    continue
                key = name, self._bounded(metric, labels)
                known = merged.get(key)
                merged[key] = value if known is None else _merge(metric.merge, known, value)
        return (Sample(name, value, labels) for (name, labels), value in sorted(_with_one_state(merged).items()))

    def _begin(self, worker: int) -> None:
        """A worker starts: what its predecessor had in progress is over, what that counted stays counted."""
        if worker in self._heard:
            self._add("promptshield_worker_restarts_total", (), 1)
        self._active.pop(worker, None)
        self._gauges.pop(worker, None)
        self._heard.pop(worker, None)

    def _add(self, name: str, labels: Sequence[str], value: float) -> None:
        metric = BY_NAME.get(name)
        if metric is None or metric.kind is not Kind.COUNTER or len(labels) != len(metric.labels):
            return
        series, key = self._counters[name], self._bounded(metric, labels)
        if key not in series:
            self._begin_series(metric, key[:-1])
        series[key] = series.get(key, 0.0) + value

    def _begin_series(self, metric: MetricName, before: Labels) -> None:
        for last in metric.zeros:
            self._counters[metric.name].setdefault((*before, last), 0.0)

    def _add_histogram(self, name: str, labels: Sequence[str], values: list[float]) -> None:
        metric = BY_NAME.get(name)
        if metric is None or metric.kind is not Kind.HISTOGRAM or len(values) != len(metric.buckets) + 3:
            return
        series, key = self._rows[name], self._bounded(metric, labels)
        row = series.get(key)
        series[key] = values if row is None else [a + b for a, b in zip(row, values, strict=True)]

    def _bounded(self, metric: MetricName, labels: Sequence[Any]) -> Labels:
        return tuple(self._value(name, str(value)) for name, value in zip(metric.labels, labels, strict=True))

    def _value(self, label: str, value: str) -> str:
        if not value:  # nobody's: a request without a valid key
            return value
        if label == "tenant_id" and not self._apart:
            return ALL_TENANTS
        named = self._named[label]
        if value not in named and len(named) < self._bounds[label]:
            named.add(value)
        return value if value in named else OTHER


def _with_one_state(merged: dict[tuple[str, Labels], float]) -> dict[tuple[str, Labels], float]:
    """Say one state of each breaker: of what workers say the most careful, since they learn it one by one."""
    said: defaultdict[str, set[str]] = defaultdict(set)
    for (name, labels), value in merged.items():
        if name == _BREAKER and value:
            said[labels[0]].add(labels[1])
    current = {model: max(states, key=_CAREFUL.index) for model, states in said.items()}
    one = {(_BREAKER, (m, state)): float(state == now) for m, now in current.items() for state in _CAREFUL}
    return {key: value for key, value in merged.items() if key[0] != _BREAKER} | one


def _merge(how: Merge, one: float, other: float) -> float:
    return max(one, other) if how is Merge.MOST else one + other
