"""What a worker counts: plain numbers, handed over once a second as deltas. Nothing here knows Prometheus."""

from __future__ import annotations

import socket
from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import orjson

from detectors.types import Coverage, DetectorRun, RunStatus
from policies.types import ActionName, Judged, Verdict

SECONDS_BUCKETS: Final = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0
)  # fmt: skip
CONFIDENCE_BUCKETS: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)

# Name, label names, bucket bounds (empty: a counter). Help texts stand beside the exposition.
HISTOGRAMS: Final = {
    "detection_duration_seconds": SECONDS_BUCKETS,
    "detection_confidence_histogram": CONFIDENCE_BUCKETS,
    "promptshield_overhead_seconds": SECONDS_BUCKETS,
    "promptshield_judge_seconds": (0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0),
}
_SEGMENTS: Final = "promptshield_segments_total"
MAX_DATAGRAM: Final = 60_000  # bytes of rows
MAX_ROW: Final = 32_000
# A hundred exchanges counted at once cost a fifth of what they cost one by one, between all the rest of a request.
COUNTED_AT_ONCE: Final = 128
Labels = tuple[str, ...]


class Finished(NamedTuple):
    """What is counted of an exchange that is over; `overhead` in seconds."""

    tenant: str
    outcome: str
    action: str
    runs: Collection[DetectorRun]
    verdicts: Sequence[Verdict]
    overhead: float


class WorkerMetrics:
    """Counters since the last hand-over, and gauges as they are now."""

    def __init__(self, worker: int) -> None:
        self._worker = worker
        self._counters: defaultdict[tuple[str, Labels], float] = defaultdict(float)
        self._histograms: dict[tuple[str, Labels], list[float]] = {}
        self._active: defaultdict[str, int] = defaultdict(int)
        self._finished: list[Finished] = []
        self.states: dict[str, object] = {}
        self._lookups: dict[tuple[str, str], int] = {}
        self._began = False

    def count(self, name: str, labels: Labels = (), amount: float = 1) -> None:
        self._counters[name, labels] += amount

    def observe(self, name: str, labels: Labels, value: float) -> None:
        """Add one observation: one more in its bucket, then sum and count at the end of the row."""
        bounds = HISTOGRAMS[name]
        row = self._histograms.get((name, labels))
        if row is None:
            row = self._histograms[name, labels] = [0.0] * (len(bounds) + 3)
        row[bisect_left(bounds, value)] += 1
        row[-2] += value
        row[-1] += 1

    def finish(self, finished: Finished) -> None:
        """Count an exchange that is over: with the next ones, or at the next hand-over."""
        self._finished.append(finished)
        if len(self._finished) >= COUNTED_AT_ONCE:
            self._count_finished()

    def _count_finished(self) -> None:
        over, self._finished = self._finished, []
        for tenant, outcome, action, runs, verdicts, overhead in over:
            self.detections(tenant, runs, [item for verdict in verdicts for item in verdict.judged])
            for verdict in verdicts:
                self.coverage(verdict.coverage)
            self._counters["promptshield_requests_total", (tenant, outcome, action)] += 1
            self.observe("promptshield_overhead_seconds", (), overhead)

    def enter(self, tenant: str) -> None:
        self._active[tenant] += 1

    def leave(self, tenant: str) -> None:
        self._active[tenant] -= 1

    def detections(self, tenant: str, runs: Iterable[DetectorRun], judged: Iterable[Judged]) -> None:
        """Count each detector's run with the heaviest action that its findings got."""
        heaviest: dict[str, ActionName] = {}
        pairs = {(item.finding.detector, id(item.action)): item for item in judged}  # of tens of thousands, a few
        for item in pairs.values():
            name, action = item.finding.detector, item.action
            heaviest[name] = max(action, heaviest.get(name, ActionName.ALLOW), key=lambda a: a.weight)
        for run in runs:
            labels = (tenant, run.detector)
            result = _result(run, heaviest.get(run.detector, ActionName.ALLOW))
            self._counters["detection_requests_total", (tenant, run.detector, result)] += 1
            if run.status is not RunStatus.SKIPPED:
                self.observe("detection_duration_seconds", labels, run.seconds)
            if run.hits:
                self.observe("detection_confidence_histogram", labels, run.confidence)

    def coverage(self, coverage: Coverage) -> None:
        """Count the segments of one direction by what became of them."""
        counters = self._counters
        if coverage.scanned:
            counters[_SEGMENTS, ("scanned", "")] += coverage.scanned
        if coverage.cached:
            counters[_SEGMENTS, ("cached", "")] += coverage.cached
        for reason, count in coverage.skipped.items():
            counters[_SEGMENTS, ("skipped", reason)] += count
        for unscanned, count in coverage.unscanned.items():
            counters[_SEGMENTS, ("unscannable", str(unscanned))] += count

    def lookups(self, totals: Mapping[tuple[str, str], int]) -> None:
        """Count how texts became known, from totals by stage and level that only grow."""
        for labels, total in totals.items():
            new = total - self._lookups.get(labels, 0)
            if new:
                self._lookups[labels] = total
                self._counters["promptshield_cache_lookups_total", labels] += new

    def take(self) -> list[bytes]:
        """Return the deltas as datagrams, each below the size a socket takes, and start again from zero."""
        self._count_finished()
        rows: list[object] = [["c", name, labels, value] for (name, labels), value in self._counters.items()]
        rows += [["h", name, labels, row] for (name, labels), row in self._histograms.items()]
        rows += [["a", tenant, count] for tenant, count in self._active.items()]
        rows += [["s", name, value] for name, value in self.states.items()]
        if not self._began:  # the gauges of a dead worker with this number count no more
            self._began, rows = True, [["b"], *rows]
        self._counters.clear()
        self._histograms.clear()
        self._active = defaultdict(int, {tenant: count for tenant, count in self._active.items() if count})
        return [orjson.dumps({"w": self._worker, "rows": part}) for part in _datagrams(rows)]


class MetricsSender:
    """Hands deltas over without ever waiting; what cannot be sent now is sent later, up to a bound."""

    def __init__(self, metrics: WorkerMetrics, channel: socket.socket) -> None:
        self._metrics, self._channel = metrics, channel
        self._waiting: deque[bytes] = deque(maxlen=512)

    def send(self) -> None:
        self._waiting.extend(self._metrics.take())
        while self._waiting:
            try:
                self._channel.send(self._waiting[0])
            except OSError:  # full, or nobody there
                return
            self._waiting.popleft()


def _result(run: DetectorRun, action: ActionName) -> str:
    if run.status is RunStatus.SKIPPED:
        return "skipped"
    if run.status is not RunStatus.OK:
        return "error"
    return "mask" if action is ActionName.PSEUDONYMISE else str(action)


def _datagrams(rows: Iterable[object]) -> Iterator[list[orjson.Fragment]]:
    """Group rows so that each group fits a datagram; a row that never would is left out."""
    group: list[orjson.Fragment] = []
    size = 0
    for row in map(orjson.dumps, rows):
        if len(row) > MAX_ROW:
            continue
        if size + len(row) > MAX_DATAGRAM:
            yield group
            group, size = [], 0
        group.append(orjson.Fragment(row))
        size += len(row) + 1
    yield group
