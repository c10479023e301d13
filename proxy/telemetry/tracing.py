"""One exchange as OpenTelemetry sees it: spans made of what was measured anyway, once it is over. Never any content.

Off, it costs one comparison a request. On, the worker only notes times; a thread of `otlp` makes and sends the rest.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Final, NamedTuple, Protocol

from detectors.types import DetectorRun, RunStatus
from proxy.telemetry.generation import gen_ai_labels
from proxy.telemetry.tracing_settings import TracingSettings
from storage.types import Outcome

# W3C Trace Context, level 1: version, trace id, parent id, flags. A later version may have more behind.
_TRACEPARENT: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?"
)
_FAILED: Final = frozenset({Outcome.UPSTREAM_ERROR, Outcome.INTERNAL_ERROR, Outcome.INTERRUPTED})
MOST_A_SECOND: Final = 50  # exchanges of one worker that are traced
MOST_STEPS: Final = 64  # screens of one exchange that get a span of their own; a stream has thousands
Attributes = Mapping[str, str | int | float | bool]


class Span(NamedTuple):
    """One span, ready to be sent. Times are epoch seconds; `kind` is server, client or internal."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    start: float
    end: float
    attributes: Attributes
    failed: bool = False


class Step(NamedTuple):
    """One screen of a text: when (seconds of `time.perf_counter`), and what its detectors took."""

    name: str
    start: float
    end: float
    runs: Sequence[DetectorRun]


@dataclass(slots=True)
class Trace:
    """What is noted of an exchange that is traced."""

    trace_id: str
    parent_id: str
    span_id: str
    steps: list[Step] = field(default_factory=list)

    def step(self, name: str, start: float, runs: Sequence[DetectorRun]) -> None:
        """Note a screen that ends now; beyond a bound they are in the exchange's own span only."""
        if len(self.steps) < MOST_STEPS:
            self.steps.append(Step(name, start, time.perf_counter(), runs))


class Traced(Protocol):
    """What an exchange is asked for its spans."""

    @property
    def id(self) -> str: ...
    @property
    def opened_at(self) -> float: ...
    @property
    def started(self) -> float: ...
    @property
    def route(self) -> str: ...
    @property
    def status(self) -> int: ...
    @property
    def outcome(self) -> Outcome: ...
    @property
    def action(self) -> str: ...
    @property
    def dialect(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def upstream(self) -> str: ...
    @property
    def streaming(self) -> bool: ...
    @property
    def error_code(self) -> str: ...
    @property
    def upstream_started(self) -> float: ...
    @property
    def tokens(self) -> tuple[int | None, int | None]: ...


class Exporter(Protocol):
    """Takes spans without ever waiting; what it cannot keep is counted."""

    def put(self, spans: Sequence[Span]) -> None: ...
    def lost(self) -> Mapping[str, int]:
        """Return how many spans were lost since the last call, by reason."""

    def close(self) -> None: ...


class Tracing:
    """Decides which exchanges are traced, and makes their spans."""

    def __init__(self, exporter: Exporter, share: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.exporter, self._below, self._clock = exporter, int(share * (1 << 32)), clock
        self._second = self._begun = 0

    def begin(self, decision: str, traceparent: str | None) -> Trace | None:
        """Begin where the caller decided so or, without a caller's trace, for a share of exchanges.

        A trace that begins here has the decision's own id, so that each leads to the other.
        """
        given = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
        if given is not None:
            wanted = int(given[3], 16) & 1 and self._has_room()
            return Trace(given[1], given[2], secrets.token_hex(8)) if wanted else None
        trace_id = decision.replace("-", "")
        if int(trace_id[-8:], 16) >= self._below or not self._has_room():  # random bits of the UUID
            return None
        return Trace(trace_id, "", secrets.token_hex(8))

    def _has_room(self) -> bool:
        """Tell whether this second has room for one more: any client may ask for all of its requests to be traced."""
        second = int(self._clock())
        if second != self._second:
            self._second, self._begun = second, 0
        self._begun += 1
        return self._begun <= MOST_A_SECOND

    def finish(self, exchange: Traced, trace: Trace) -> None:
        self.exporter.put(tuple(_spans(exchange, trace, time.perf_counter())))


def build_tracing(settings: TracingSettings) -> Tracing | None:
    """Return what traces, None where nothing is to be. OpenTelemetry is loaded only here."""
    if not settings.endpoint:
        return None
    return Tracing(import_module("proxy.telemetry.otlp").OtlpExporter(settings), settings.share)


def _spans(exchange: Traced, trace: Trace, now: float) -> Iterator[Span]:
    epoch = exchange.opened_at - exchange.started
    failed = exchange.outcome in _FAILED
    yield Span(
        exchange.route, "server", trace.trace_id, trace.span_id, trace.parent_id, exchange.opened_at, epoch + now,
        _about(exchange), failed,
    )  # fmt: skip
    for step in trace.steps:
        yield from _screen(step, trace, epoch)
    if exchange.upstream_started:
        operation, provider, model = gen_ai_labels(exchange.dialect, exchange.model)
        about: dict[str, str | int | float | bool] = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": provider,
            "gen_ai.request.model": model,
            "promptshield.upstream": exchange.upstream,
        }
        for name, count in zip(("input", "output"), exchange.tokens, strict=True):
            if count is not None:
                about[f"gen_ai.usage.{name}_tokens"] = count
        start = epoch + exchange.upstream_started
        yield _child(trace, trace.span_id, f"{operation} {model}", "client", (start, epoch + now), about, failed=failed)


def _screen(step: Step, trace: Trace, epoch: float) -> Iterator[Span]:
    """Yield one screen's span and its stages', which run one after another."""
    screen = _child(trace, trace.span_id, step.name, "internal", (epoch + step.start, epoch + step.end), {})
    yield screen
    stages: dict[str, list[DetectorRun]] = {}
    for run in step.runs:
        stages.setdefault(run.stage.name.lower(), []).append(run)
    at = screen.start
    for stage, runs in stages.items():
        end = min(screen.end, at + sum(run.seconds for run in runs))
        about: dict[str, str | int | float | bool] = {f"promptshield.{run.detector}": str(run.status) for run in runs}
        bad = any(run.status not in {RunStatus.OK, RunStatus.SKIPPED} for run in runs)
        yield _child(trace, screen.span_id, f"stage {stage}", "internal", (at, end), about, failed=bad)
        at = end


def _child(
    trace: Trace,
    parent: str,
    name: str,
    kind: str,
    times: tuple[float, float],
    about: Attributes,
    *,
    failed: bool = False,
) -> Span:
    return Span(name, kind, trace.trace_id, secrets.token_hex(8), parent, *times, about, failed)


def _about(exchange: Traced) -> Attributes:
    method, _, route = exchange.route.partition(" ")
    about: dict[str, str | int | float | bool] = {
        "http.request.method": method,
        "http.response.status_code": exchange.status,
        "promptshield.decision_id": exchange.id,
        "promptshield.outcome": str(exchange.outcome),
        "promptshield.action": str(exchange.action),
        "promptshield.streaming": exchange.streaming,
    }
    if route:  # known once a codec has claimed it, with ids in it left out
        about["http.route"] = route
    if exchange.error_code:
        about["error.type"] = exchange.error_code
    return about
