"""Sending on: what was scanned is serialised, journaled as opened, and only then sent."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Final

from detectors.errors import EdgeError, JournalError, UpstreamError
from policies.types import AuditLevel, Credentials
from proxy.codec import Codec, Target
from proxy.exchange import Exchange, digest
from proxy.identity import Presented
from proxy.parts import Parts
from proxy.record import opened_of
from proxy.settings import UpstreamSettings
from proxy.upstream import UpstreamAnswer, UpstreamRequest

# Everything else a client sends in headers stays here: keys, cookies, forwarding traces, switches of other gateways.
_FORWARDED: Final = frozenset(
    {"openai-organization", "openai-project", "openai-beta", "http-referer", "x-title", "user-agent", "idempotency-key"}
)


def choose_upstreams(parts: Parts, exchange: Exchange, codec: Codec) -> Sequence[UpstreamSettings]:
    """Return who serves the exchange's model in the codec's dialect, the first choice first. Raises EdgeError 404."""
    upstreams = speaking(parts, exchange, codec, exchange.model if codec.routes_by_model else "")
    if not upstreams:
        raise EdgeError(404, "model_not_found", "No upstream serves this model.", "model")
    exchange.upstream = upstreams[0].name
    return upstreams


def speaking(parts: Parts, exchange: Exchange, codec: Codec, model: str = "") -> Sequence[UpstreamSettings]:
    """Return who may be asked in a dialect: where the app was going by itself, else whoever serves the model."""
    if exchange.destination is None:
        return parts.upstreams.serving(codec.dialect, model)
    return [exchange.destination] if exchange.destination.dialect == codec.dialect else []


async def forward(
    parts: Parts,
    exchange: Exchange,
    upstreams: Sequence[UpstreamSettings],
    codec: Codec,
    target: Target,
    path: str,
    content: tuple[bytes, str] | None,
    headers: Mapping[str, str],
    presented: Presented,
) -> UpstreamAnswer:
    """Journal the exchange as opened, then send to `path` below the base URL; `content` is the body with its type.

    Raises EdgeError 503 without a journal, 429 for a model that the policy chose, UpstreamError.
    """
    if exchange.meter is not None and exchange.asked_model:  # the policy sent it to another model
        await exchange.meter.follow((exchange.model,))
    body, content_type = content or (None, "")
    if body is not None:
        exchange.digests["forwarded"] = digest(exchange.content_key, body)
    journal_opened(parts, exchange)

    def request_for(upstream: UpstreamSettings) -> UpstreamRequest:
        sent = _headers(exchange, upstream, codec, target, headers, presented, content_type)
        return UpstreamRequest(target.method, path, sent, body)

    exchange.provider_saw_prompt = body is not None
    started = exchange.upstream_started = time.perf_counter()
    try:
        return await parts.health.send(upstreams, request_for, lambda name: setattr(exchange, "upstream", name))
    except UpstreamError as exc:
        exchange.provider_saw_prompt = exc.sent and body is not None
        raise
    finally:
        exchange.upstream_seconds += time.perf_counter() - started


def journal_opened(parts: Parts, exchange: Exchange) -> None:
    """Write the row to keep should nothing more be heard of this exchange. Raises EdgeError 503."""
    if exchange.identity is None:
        return
    try:
        parts.journal.opened(opened_of(exchange, exchange.identity, parts.instance, parts.worker))
    except JournalError as exc:
        if exchange.policy is None or exchange.policy.audit_level is AuditLevel.REQUIRED:
            raise EdgeError(503, "audit_unavailable", "Decisions cannot be recorded at the moment.") from exc


def _headers(
    exchange: Exchange,
    upstream: UpstreamSettings,
    codec: Codec,
    target: Target,
    headers: Mapping[str, str],
    presented: Presented,
    content_type: str,
) -> dict[str, str]:
    sent = {name: headers[name] for name in _FORWARDED if name in headers} | codec.forwarded(headers)
    sent["Accept-Encoding"], sent["x-request-id"] = "identity", exchange.request_id
    if content_type:
        sent["Content-Type"] = content_type
    policy = exchange.policy
    theirs = codec.own_credential(headers, target.query) if presented.own_header else None
    if theirs and policy is not None and (policy.credentials is Credentials.CLIENT or exchange.destination is not None):
        return sent | theirs
    return sent | (codec.credential_headers(upstream.credential) if upstream.credential else {})
