"""An upstream's answer as it arrives: its time is counted as the upstream's, and whoever listens hears it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

from proxy.exchange import Exchange
from proxy.transcript import Transcript
from proxy.upstream import UpstreamAnswer


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
            exchange.upstream_seconds += time.perf_counter() - started
        yield chunk


async def overheard(chunks: AsyncIterator[bytes], transcript: Transcript) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        transcript.take_chunk(chunk)
        yield chunk


async def once(raw: bytes) -> AsyncIterator[bytes]:
    yield raw
