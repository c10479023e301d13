"""Sending on: what was scanned is serialised, journaled as opened, and only then sent."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from detectors.errors import EdgeError, JournalError, UpstreamError
from policies.types import AuditLevel, Credentials
from proxy.codec import Codec, Target
from proxy.exchange import Exchange, digest
from proxy.identity import Presented
from proxy.parts import Parts
from proxy.recording.record import opened_of
from proxy.settings import UpstreamSettings
from proxy.upstreams.upstream import UpstreamAnswer, UpstreamRequest


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
    theirs = _own_credential(exchange, codec, target, headers, presented)
    exchange.own_credential = bool(theirs)
    carried = await parts.carried.of(parts.screen, exchange, codec, headers, account=bool(theirs))
    journal_opened(parts, exchange)

    def request_for(upstream: UpstreamSettings) -> UpstreamRequest:
        sent = {**carried, "Accept-Encoding": "identity"}
        sent |= {"Content-Type": content_type} if content_type else {}
        ours = codec.credential_headers(upstream.credential) if upstream.credential else {}
        return UpstreamRequest(target.method, path, sent | (theirs or ours), body)

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


def _own_credential(
    exchange: Exchange, codec: Codec, target: Target, headers: Mapping[str, str], presented: Presented
) -> dict[str, str]:
    """Return the client's own credential where it is to go upstream; it needs a header beside that of our key."""
    policy = exchange.policy
    if not presented.own_header or policy is None:
        return {}
    passes = policy.credentials is Credentials.CLIENT or exchange.destination is not None
    return codec.own_credential(headers, target.query) if passes else {}
