"""The end of every exchange: its row is journaled before its answer ends, its counters kept, its grant released."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import structlog
from aiohttp import web

from detectors.errors import JournalError
from policies.types import AuditLevel, Disclose, Verdict
from proxy.bodies.json_document import dump
from proxy.codec import JsonObject
from proxy.exchange import Exchange
from proxy.hook import spoken_status
from proxy.limits.accounting import account, note_attempt
from proxy.parts import Parts
from proxy.recording.record import record_of
from proxy.responses import JSON, body_response, error_response, json_response, retry_headers
from proxy.telemetry.generation import Generation, gen_ai_labels
from proxy.telemetry.metrics import Finished

_LOG: Final = structlog.get_logger("promptshield.closing")
_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


async def close(parts: Parts, exchange: Exchange) -> bool:
    """Journal the decision, once. Return False if it could not be recorded and the policy asks for it."""
    if exchange.closed:
        return True
    exchange.closed = True
    if exchange.provider_saw_prompt or exchange.meter is not None:
        account(parts, exchange)
    tenant = exchange.identity.tenant if exchange.identity else ""
    parts.metrics.finish(
        Finished(
            tenant=tenant,
            outcome=exchange.outcome,
            action=exchange.action,
            runs=exchange.runs.values(),
            verdicts=exchange.verdicts(),
            overhead=exchange.overhead_seconds(),
            degraded=bool(exchange.degraded),
            streaming=exchange.streaming and exchange.status == 200,
            held=exchange.held_back,
            generation=_generation(exchange),
        )
    )
    for verdict in exchange.verdicts():
        other = verdict.disagreement
        if other is not None:
            labels = (other.policy_id, str(verdict.intended_action), str(other.action))
            parts.metrics.count("promptshield_candidate_disagreements_total", labels)
    if exchange.trace is not None and parts.tracing is not None:
        parts.tracing.finish(exchange, exchange.trace)
    if exchange.identity is None:
        return True
    try:
        # The first wait of all: who hangs up is forgotten by nobody, since what stands above waits for nothing.
        await parts.journal.closed(record_of(exchange, exchange.identity, parts.instance, parts.worker))
    except JournalError as exc:
        parts.metrics.count("promptshield_journal_failures_total")
        _LOG.error("decision not recorded", problem=str(exc))
        return exchange.policy is not None and exchange.policy.audit_level is AuditLevel.BEST_EFFORT
    finally:
        await _tell_redis(parts, exchange)
    return True


async def _tell_redis(parts: Parts, exchange: Exchange) -> None:
    if exchange.risk is not None:
        await exchange.risk.settle(exchange.request)
    await note_attempt(parts, exchange)


async def finish(
    parts: Parts, exchange: Exchange, document: JsonObject, headers: Mapping[str, str] = _NO_HEADERS
) -> web.Response:
    """Journal, then return a whole answer with our headers; 503 instead if the decision cannot be recorded."""
    return await finish_bytes(parts, exchange, dump(document), JSON, headers)


async def finish_bytes(
    parts: Parts, exchange: Exchange, body: bytes, content_type: str, headers: Mapping[str, str] = _NO_HEADERS
) -> web.Response:
    """As `finish`, for an answer that is serialised already."""
    exchange.headers["x-promptshield-overhead-ms"] = f"{exchange.overhead_seconds() * 1000:.2f}"
    if not await close(parts, exchange):
        return _unrecorded(exchange)
    return body_response(exchange.status, body, {**headers, **answer_headers(exchange), "Content-Type": content_type})


def _unrecorded(exchange: Exchange) -> web.Response:
    code, message, headers = (
        "audit_unavailable",
        "Decisions cannot be recorded at the moment.",
        answer_headers(exchange),
    )
    if exchange.words is None:
        return error_response(503, code, message, headers)
    body = exchange.words.error(503, code, message)
    return json_response(spoken_status(exchange.words, 503), body, {**retry_headers(503), **headers})


def answer_headers(exchange: Exchange) -> dict[str, str]:
    """Return the headers of ours that this exchange's policy lets the client see."""
    headers = {**exchange.headers, "x-request-id": exchange.request_id}
    if exchange.request is not None or exchange.response is not None:  # else nothing was judged, nor allowed
        headers["x-promptshield-action"] = str(exchange.action)
    if getattr(exchange.words, "dialect", "") == "anthropic":  # where its SDKs look for it
        headers["request-id"] = exchange.request_id
    if exchange.identity is not None:  # whoever nobody knows has no row, and no decision is named to them
        headers["x-promptshield-decision-id"] = exchange.id
    if exchange.degraded:
        headers["x-promptshield-degraded"] = ",".join(exchange.degraded)
    if exchange.policy is not None and exchange.policy.disclose is Disclose.FULL:
        headers["x-promptshield-policy"] = f"{exchange.policy.id}@{exchange.policy.revision}"
        if exchange.request is not None:
            headers["x-promptshield-coverage"] = _receipt(exchange.request)
            headers["x-promptshield-cache"] = f"hits={exchange.request.coverage.cached}"
    return headers


def _generation(exchange: Exchange) -> Generation | None:
    """Return what the provider's answer was; None where it gave none that a model made."""
    if not exchange.upstream_started or exchange.status != 200:
        return None
    first = exchange.first_chunk_at - exchange.upstream_started if exchange.first_chunk_at else 0.0
    usage, labels = exchange.usage, gen_ai_labels(exchange.dialect, exchange.model)
    # Until the answer ends, which is now: streams are closed with their last event.
    seconds = time.perf_counter() - exchange.upstream_started
    return Generation(labels, seconds, first, usage.prompt_tokens, usage.completion_tokens)


def _receipt(verdict: Verdict) -> str:
    """Return how many of the request's segments were read, now or before, of how many: `14/15`."""
    coverage = verdict.coverage
    read = coverage.scanned + coverage.cached
    return f"{read}/{read + sum(coverage.skipped.values()) + sum(coverage.unscanned.values())}"
