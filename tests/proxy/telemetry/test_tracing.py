"""Which exchanges are traced, and what their spans say: times, sizes, verdicts, never a word of anybody's text."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import pytest

from detectors.types import DetectorRun, RunStatus, Stage
from policies.types import ActionName
from proxy.codec import Usage
from proxy.exchange import Exchange
from proxy.telemetry.tracing import MOST_A_SECOND, MOST_STEPS, Span, Trace, Tracing
from storage.types import Outcome

CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Kept:
    def __init__(self) -> None:
        self.spans: list[Span] = []

    def put(self, spans: Sequence[Span]) -> None:
        self.spans += spans

    def lost(self) -> Mapping[str, int]:
        return {}

    def close(self) -> None:
        return


def over() -> Exchange:
    exchange = Exchange.open(None, "POST /v1/chat/completions", "")
    exchange.dialect, exchange.model, exchange.upstream = "openai_chat", "gpt-4o", "openai"
    exchange.upstream_started, exchange.usage = time.perf_counter(), Usage(7, 5)
    exchange.end(Outcome.ANSWERED, 200)
    return exchange


def test_a_callers_decision_is_kept_and_its_span_is_the_parent() -> None:
    tracing = Tracing(Kept(), 0.0)

    trace = tracing.begin("d", CALLER)
    assert trace is not None
    assert (trace.trace_id, trace.parent_id) == (CALLER[3:35], CALLER[36:52])
    assert tracing.begin("d", CALLER[:-2] + "00") is None


@pytest.mark.parametrize(
    "header",
    [None, "", "nonsense", "00-" + "0" * 32 + CALLER[35:], CALLER[:36] + "0" * 16 + "-01", "ff" + CALLER[2:],
     CALLER.upper(), CALLER + " ", "00-" + "a" * 5000],
)  # fmt: skip
def test_what_is_no_trace_begins_one_that_has_the_decisions_own_id(header: str | None) -> None:
    exchange = Exchange.open(None, "GET", "")

    trace = Tracing(Kept(), 1.0).begin(exchange.id, header)
    assert trace is not None
    assert (trace.trace_id, trace.parent_id) == (exchange.id.replace("-", ""), "")


def test_about_the_share_is_traced() -> None:
    now = iter(range(4000))
    tracing = Tracing(Kept(), 0.25, lambda: next(now))
    begun = [tracing.begin(Exchange.open(None, "GET", "").id, None) for _ in range(4000)]

    assert 850 < sum(trace is not None for trace in begun) < 1150


def test_a_client_that_wants_all_its_requests_traced_gets_so_many_a_second() -> None:
    tracing = Tracing(Kept(), 0.0, lambda: 7.0)

    assert sum(tracing.begin("d", CALLER) is not None for _ in range(1000)) == MOST_A_SECOND


def test_spans_are_the_exchange_its_screens_their_stages_and_the_call_upstream() -> None:
    kept, exchange = Kept(), over()
    tracing = Tracing(kept, 1.0)
    trace = tracing.begin(exchange.id, None)
    assert trace is not None
    runs = [
        DetectorRun("pii", Stage.PATTERN, True, RunStatus.OK, 1, 0.7, 0.0),
        DetectorRun("judge", Stage.JUDGE, False, RunStatus.TIMEOUT, 0, 0.0, 0.0, "deadline"),
    ]
    trace.step("screen request", exchange.started, runs)
    tracing.finish(exchange, trace)

    server, screen, pattern, _, client = kept.spans
    assert [span.name for span in kept.spans] == [
        "POST /v1/chat/completions", "screen request", "stage pattern", "stage judge", "chat gpt-4o"
    ]  # fmt: skip
    assert [span.parent_id for span in kept.spans] == [
        "", server.span_id, screen.span_id, screen.span_id, server.span_id
    ]  # fmt: skip
    assert [span.failed for span in kept.spans] == [False, False, False, True, False]
    assert client.attributes == {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.input_tokens": 7, "gen_ai.usage.output_tokens": 5, "promptshield.upstream": "openai",
    }  # fmt: skip
    assert server.attributes["promptshield.decision_id"] == exchange.id
    assert all(exchange.opened_at - 0.001 <= span.start <= span.end for span in kept.spans)
    assert pattern.attributes == {"promptshield.pii": "ok"}


def test_a_models_name_that_is_a_sentence_is_in_no_span() -> None:
    kept, exchange = Kept(), over()
    exchange.model = "my password is hunter2"
    tracing = Tracing(kept, 1.0)
    trace = tracing.begin(exchange.id, None)
    assert trace is not None
    tracing.finish(exchange, trace)

    assert "hunter2" not in repr(kept.spans)


def test_a_stream_of_thousands_of_screens_has_a_bounded_number_of_spans() -> None:
    trace = Trace("a" * 32, "", "b" * 16)
    for _ in range(5000):
        trace.step("screen response", 0.0, ())

    assert len(trace.steps) == MOST_STEPS


def test_an_error_is_told_by_its_code() -> None:
    kept, exchange = Kept(), over()
    exchange.end(Outcome.UPSTREAM_ERROR, 504, "upstream_timeout")
    exchange.request = None
    tracing = Tracing(kept, 1.0)
    tracing.finish(exchange, Trace("a" * 32, "", "b" * 16))

    assert kept.spans[0].failed
    assert kept.spans[0].attributes["error.type"] == "upstream_timeout"
    assert kept.spans[0].attributes["promptshield.action"] == ActionName.ALLOW
