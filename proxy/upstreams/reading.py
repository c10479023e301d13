"""Reading what an upstream answers: whole or as it comes, with the time that it makes us wait, and what failed."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

from proxy.bodies.json_document import JsonError, parse
from proxy.exchange import Exchange
from proxy.recording.transcript import Transcript
from proxy.upstreams.upstream import UpstreamAnswer


async def whole(exchange: Exchange, upstream: UpstreamAnswer) -> bytes:
    started = time.perf_counter()
    raw = await upstream.read()
    exchange.upstream_seconds += time.perf_counter() - started
    return raw


async def timed(exchange: Exchange, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Count the time spent waiting for chunks as the upstream's."""
    while True:
        started = time.perf_counter()
        try:
            chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        finally:
            ended = time.perf_counter()
            exchange.upstream_seconds += ended - started
        exchange.first_chunk_at = exchange.first_chunk_at or ended
        yield chunk


async def overheard(chunks: AsyncIterator[bytes], transcript: Transcript) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        transcript.take_chunk(chunk)
        yield chunk


async def once(raw: bytes) -> AsyncIterator[bytes]:
    yield raw


def read_error(raw: bytes) -> dict[str, Any] | None:
    try:
        document = parse(raw)
    except JsonError:
        return None
    if isinstance(document, list) and len(document) == 1:
        document = document[0]  # Google's array streams put their errors into an array too
    return document if isinstance(document, dict) else None


def relayed_status(status: int) -> int:
    """What is the client's business passes; a credential of ours that fails, or a redirect, is our failure."""
    return 502 if 300 <= status < 400 or status in {401, 403, 407} else status


def error_code(document: dict[str, Any]) -> str:
    error = document.get("error")
    code = error.get("code") if isinstance(error, dict) else None
    return str(code)[:64] if isinstance(code, int) else ("upstream" if error else "")
