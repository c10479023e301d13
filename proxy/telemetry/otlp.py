"""Spans on their way out: the only importer of OpenTelemetry, in a thread that nobody waits for."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from proxy.telemetry.tracing import Span
from proxy.telemetry.tracing_settings import TracingSettings

BATCH: Final = 64  # exchanges sent at once
INTERVAL: Final = 1.0  # seconds that a batch may wait to become whole
_KINDS: Final = {"server": SpanKind.SERVER, "client": SpanKind.CLIENT, "internal": SpanKind.INTERNAL}
_SCOPE: Final = InstrumentationScope("promptshield", version("promptshield"))
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)


class OtlpExporter:
    """Keeps at most `settings.waiting` exchanges; beyond it the oldest go, and are counted."""

    def __init__(self, settings: TracingSettings) -> None:
        self._exporter = OTLPSpanExporter(
            settings.endpoint, headers=dict(settings.headers), timeout=settings.timeout, compression=None
        )
        self._resource = Resource({"service.name": "promptshield", "service.version": version("promptshield")})
        self._waiting: deque[Sequence[Span]] = deque(maxlen=settings.waiting)
        self._lost: Counter[str] = Counter()
        self._wake, self._ending = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="ps-otlp", daemon=True)
        self._thread.start()

    def put(self, spans: Sequence[Span]) -> None:
        waiting = self._waiting
        if len(waiting) == waiting.maxlen:
            self._lost["full"] += len(waiting[0])
        waiting.append(spans)
        if len(waiting) >= BATCH:
            self._wake.set()

    def lost(self) -> Mapping[str, int]:
        lost, self._lost = self._lost, Counter()
        return lost

    def close(self) -> None:
        """Send what waits, for a second at most, and let the thread go: it holds up no exit."""
        self._ending.set()
        self._wake.set()
        self._thread.join(1)
        # Ends a retry that waits between two tries.
        threading.Thread(target=self._exporter.shutdown, daemon=True).start()

    def _run(self) -> None:
        while True:
            self._wake.wait(INTERVAL)
            self._wake.clear()
            while self._waiting:
                self._send()
            if self._ending.is_set():
                return

    def _send(self) -> None:
        batch: list[ReadableSpan] = []
        for _ in range(min(BATCH, len(self._waiting))):
            try:
                spans = self._waiting.popleft()
            except IndexError:  # `put` has just dropped it
                break
            batch += [_readable(span, self._resource) for span in spans]
        if batch and self._exporter.export(batch) is not SpanExportResult.SUCCESS:
            self._lost["failed"] += len(batch)


def _readable(span: Span, resource: Resource) -> ReadableSpan:
    trace_id = int(span.trace_id, 16)
    parent = SpanContext(trace_id, int(span.parent_id, 16), is_remote=True) if span.parent_id else None
    return ReadableSpan(
        name=span.name,
        context=SpanContext(trace_id, int(span.span_id, 16), is_remote=False, trace_flags=_SAMPLED),
        parent=parent,
        resource=resource,
        attributes=span.attributes,
        kind=_KINDS[span.kind],
        status=Status(StatusCode.ERROR) if span.failed else Status(),
        start_time=int(span.start * 1e9),
        end_time=int(span.end * 1e9),
        instrumentation_scope=_SCOPE,
    )
