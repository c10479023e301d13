"""Spans on the wire, to a receiver of our own; and one that hangs, which nobody waits for."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from proxy.telemetry.otlp import OtlpExporter
from proxy.telemetry.tracing import Span
from proxy.telemetry.tracing_settings import TracingSettings

SPAN = Span("chat gpt-4o", "client", "a" * 32, "b" * 16, "c" * 16, 1.5, 2.0, {"gen_ai.usage.input_tokens": 7}, True)


@pytest.fixture
def received() -> Iterator[tuple[str, list[ExportTraceServiceRequest]]]:
    requests: list[ExportTraceServiceRequest] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            requests.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1/traces", requests
    server.shutdown()
    server.server_close()


def test_a_span_arrives_as_it_was(received: tuple[str, list[ExportTraceServiceRequest]]) -> None:
    exporter = OtlpExporter(TracingSettings(endpoint=received[0]))
    exporter.put((SPAN,))
    exporter.close()

    (request,) = received[1]
    (span,) = request.resource_spans[0].scope_spans[0].spans
    assert (span.name, span.trace_id.hex(), span.parent_span_id.hex()) == (SPAN.name, SPAN.trace_id, SPAN.parent_id)
    assert (span.start_time_unix_nano, span.end_time_unix_nano) == (1_500_000_000, 2_000_000_000)
    assert [(a.key, a.value.int_value) for a in span.attributes] == [("gen_ai.usage.input_tokens", 7)]
    assert (span.kind, span.status.code) == (3, 2)  # client, error
    assert exporter.lost() == {}


def test_an_endpoint_that_hangs_costs_spans_and_no_time() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(1)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1/traces"
        exporter = OtlpExporter(TracingSettings(endpoint=url, waiting=100, timeout=0.2))
        started = time.perf_counter()
        for _ in range(1000):
            exporter.put((SPAN, SPAN))
        assert time.perf_counter() - started < 0.5

        lost = exporter.lost()
        assert lost["full"] >= 2 * (1000 - 100 - 64)
        exporter.close()
