"""What a worker counts: plain numbers, handed over once a second as deltas. Nothing here knows Prometheus."""

from __future__ import annotations

import socket
from bisect import bisect_right
from collections import Counter, defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

import orjson

from detectors.selective import LEANING
from detectors.types import Coverage, DetectorRun, RunStatus
from policies.types import ActionName, Judged, Verdict
from proxy.telemetry.generation import Generation
from proxy.telemetry.metric_names import BY_NAME
from storage.types import Outcome

MAX_DATAGRAM: Final = 60_000  # bytes of rows
MAX_ROW: Final = 32_000
# A hundred exchanges counted at once cost a fifth of what they cost one by one, between all the rest of a request.
COUNTED_AT_ONCE: Final = 128
# Observations of one series that are kept as they came; sorted and put into buckets together they cost a tenth.
KEPT_AS_THEY_CAME: Final = 1024
_OK: Final = RunStatus.OK
_SKIPPED: Final = "skipped"
_OVERHEAD: Final = "promptshield_overhead_seconds"
_SEGMENTS: Final = "promptshield_segments_total"
_MOST_WAITING: Final = 512  # datagrams that could not be sent yet
_NOBODY: Final[Mapping[str, ActionName]] = MappingProxyType({})
Labels = tuple[str, ...]


class Finished(NamedTuple):
    """What is counted of an exchange that is over; `overhead` in seconds, `held` what its stream held back longest."""

    tenant: str
    outcome: str
    action: str
    runs: Collection[DetectorRun]
    verdicts: Sequence[Verdict]
    overhead: float
    degraded: bool = False
    streaming: bool = False
    held: float = 0.0
    generation: Generation | None = None


class _Tenant:
    """One tenant's exchanges since the last hand-over: how they ended, and seconds of runs by result and detector."""

    __slots__ = ("allowed", "ends", "others")

    def __init__(self) -> None:
        self.ends: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.allowed: dict[str, list[float]] = {}  # nearly all of them
        self.others: defaultdict[tuple[str, str], list[float]] = defaultdict(list)


class WorkerMetrics:
    """Counters since the last hand-over, and gauges as they are now."""

    def __init__(self, worker: int) -> None:
        self._worker = worker
        self._counters: defaultdict[tuple[str, Labels], float] = defaultdict(float)
        self._observed: defaultdict[tuple[str, Labels], list[float]] = defaultdict(list)
        self._histograms: dict[tuple[str, Labels], list[float]] = {}
        self._tenants: defaultdict[str, _Tenant] = defaultdict(_Tenant)
        self._stages: dict[str, str] = {}
        self._generations: defaultdict[Labels, list[Generation]] = defaultdict(list)
        self._scanned = self._cached = 0
        self._skipped: defaultdict[str, int] = defaultdict(int)
        self._active: defaultdict[str, int] = defaultdict(int)
        self._finished: list[Finished] = []
        self._gauges: dict[tuple[str, Labels], float] = {}
        self._lookups: dict[tuple[str, str], int] = {}
        self._began = False

    def count(self, name: str, labels: Labels = (), amount: float = 1) -> None:
        self._counters[name, labels] += amount

    def gauge(self, name: str, value: float, labels: Labels = ()) -> None:
        """Say how something stands; said once, it holds until the next hand-over."""
        self._gauges[name, labels] = value

    def observe(self, name: str, labels: Labels, value: float) -> None:
        """Add one observation to a histogram."""
        values = self._observed[name, labels]
        values.append(value)
        if len(values) >= KEPT_AS_THEY_CAME:
            self._sort_in(name, labels, values)
            values.clear()

    def finish(self, finished: Finished) -> None:
        """Count an exchange that is over: with the next ones, or at the next hand-over."""
        self._finished.append(finished)
        if len(self._finished) >= COUNTED_AT_ONCE:
            self._count_finished()

    def enter(self, tenant: str) -> None:
        self._active[tenant] += 1

    def leave(self, tenant: str) -> None:
        self._active[tenant] -= 1

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
        self._add_up()
        for (name, labels), values in self._observed.items():
            self._sort_in(name, labels, values)
        rows: list[object] = [["c", name, labels, value] for (name, labels), value in self._counters.items()]
        rows += [["h", name, labels, row] for (name, labels), row in self._histograms.items()]
        rows += [["a", tenant, count] for tenant, count in self._active.items()]
        rows += [["g", name, labels, value] for (name, labels), value in self._gauges.items()]
        if not self._began:  # the gauges of a dead worker with this number count no more
            self._began, rows = True, [["b"], *rows]
        self._counters.clear()
        self._histograms.clear()
        self._observed.clear()
        self._gauges.clear()
        self._active = defaultdict(int, {tenant: count for tenant, count in self._active.items() if count})
        return [orjson.dumps({"w": self._worker, "rows": part}) for part in _datagrams(rows)]

    def _count_finished(self) -> None:
        over, self._finished = self._finished, []
        tenants, overhead, generations = self._tenants, self._observed[_OVERHEAD, ()], self._generations
        for done in over:
            tenant = tenants[done.tenant]
            tenant.ends[done.outcome, done.action] += 1
            overhead.append(done.overhead)
            heaviest = _NOBODY
            for verdict in done.verdicts:
                self._cover(verdict.coverage)
                if verdict.judged:
                    heaviest = self._find(verdict.judged, heaviest, done.runs)
            self._account(done.tenant, tenant, done.runs, heaviest)
            if done.generation is not None:
                generations[done.generation.labels].append(done.generation)
            if done.streaming:
                self._counters["promptshield_streams_total", (done.outcome,)] += 1
                self._observed["promptshield_holdback_seconds", ()].append(done.held)
            if done.degraded and done.outcome == Outcome.ANSWERED:
                self._counters["promptshield_fail_open_total", (done.tenant,)] += 1

    def _account(
        self, name: str, tenant: _Tenant, runs: Collection[DetectorRun], heaviest: Mapping[str, ActionName]
    ) -> None:
        """Note each detector's run with the heaviest action that its findings got."""
        allowed = tenant.allowed
        for run in runs:
            detector = run.detector
            if run.status is _OK and detector not in heaviest:
                seconds = allowed.get(detector)
                if seconds is None:
                    seconds = allowed[detector] = []
                    self._stages[detector] = run.stage.name.lower()
                seconds.append(run.seconds)
            else:
                tenant.others[detector, _result(run.status, heaviest.get(detector))].append(run.seconds)
                self._stages[detector] = run.stage.name.lower()
            if run.hits and run.confidence >= LEANING:
                self._observed["detection_confidence_histogram", (name, detector)].append(run.confidence)

    def _find(
        self, judged: Sequence[Judged], known: Mapping[str, ActionName], runs: Collection[DetectorRun]
    ) -> Mapping[str, ActionName]:
        """Count findings, and return the heaviest action of each detector; none for what is allowed."""
        stages = {run.detector: run.stage.name.lower() for run in runs}
        heaviest = dict(known)
        # Of tens of thousands of findings there are a few kinds: enums are told apart by identity, which is cheap.
        keys = [(item.finding.detector, item.finding.hit.rule_id, id(item.action)) for item in judged]
        samples = dict(zip(keys, judged, strict=True))
        for key, count in Counter(keys).items():
            finding, action = samples[key].finding, samples[key].action
            labels = (str(finding.hit.category), finding.hit.rule_id, stages.get(finding.detector, ""))
            self._counters["promptshield_findings_total", labels] += count
            if action.weight > heaviest.get(finding.detector, ActionName.ALLOW).weight:
                heaviest[finding.detector] = action
        return heaviest

    def _cover(self, coverage: Coverage) -> None:
        """Count the segments of one direction by what became of them."""
        self._scanned += coverage.scanned
        self._cached += coverage.cached
        for reason, count in coverage.skipped.items():
            self._skipped[reason] += count
        for unscanned, count in coverage.unscanned.items():
            self._counters[_SEGMENTS, ("unscannable", str(unscanned))] += count

    def _add_up(self) -> None:
        """Turn what was kept as it came into counters and observations."""
        for name, tenant in self._tenants.items():
            self._counters["promptshield_fail_open_total", (name,)] += 0  # a rate wants a zero before the first one
            if name:  # nobody's are requests without a valid key
                self._counters["tenant_requests_total", (name,)] += sum(tenant.ends.values())
            for (outcome, action), number in tenant.ends.items():
                self._counters["promptshield_requests_total", (name, outcome, action)] += number
            runs = {(detector, "allow"): seconds for detector, seconds in tenant.allowed.items()} | tenant.others
            for (detector, result), seconds in runs.items():
                self._counters["detection_requests_total", (name, detector, result)] += len(seconds)
                if result != _SKIPPED:  # it took no time
                    self._observed["detection_duration_seconds", (name, detector)] += seconds
                    self._counters["promptshield_stage_seconds_total", (self._stages[detector],)] += sum(seconds)
        for generations in self._generations.values():
            for generation in generations:
                generation.observe(self._observed)
        segments = {(_SKIPPED, reason): count for reason, count in self._skipped.items()}
        if self._tenants:
            segments |= {("scanned", ""): self._scanned, ("cached", ""): self._cached}
        for labels, count in segments.items():
            self._counters[_SEGMENTS, labels] += count
        self._tenants.clear()
        self._generations.clear()
        self._skipped.clear()
        self._scanned = self._cached = 0

    def _sort_in(self, name: str, labels: Labels, values: list[float]) -> None:
        """Put observations into their buckets: one sort, then one search for each bound; sum and count end the row."""
        if not values:
            return
        bounds = BY_NAME[name].buckets
        row = self._histograms.setdefault((name, labels), [0.0] * (len(bounds) + 3))
        values.sort()
        below = 0
        for number, bound in enumerate(bounds):
            upto = bisect_right(values, bound, below)
            row[number] += upto - below
            below = upto
        row[-3] += len(values) - below
        row[-2] += sum(values)
        row[-1] += len(values)


def _result(status: RunStatus, action: ActionName | None) -> str:
    if status is RunStatus.SKIPPED:
        return _SKIPPED
    if status is not RunStatus.OK:
        return "error"
    return "mask" if action is ActionName.PSEUDONYMISE else str(action)


class MetricsSender:
    """Hands deltas over without ever waiting; what cannot be sent now is sent later, up to a bound, then counted."""

    def __init__(self, metrics: WorkerMetrics, channel: socket.socket) -> None:
        self._metrics, self._channel = metrics, channel
        self._waiting: deque[bytes] = deque()

    def send(self) -> None:
        self._waiting.extend(self._metrics.take())
        while len(self._waiting) > _MOST_WAITING:
            self._waiting.popleft()
            self._metrics.count("promptshield_metrics_lost_total")
        while self._waiting:
            try:
                self._channel.send(self._waiting[0])
            except OSError:  # full, or nobody there
                return
            self._waiting.popleft()


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
