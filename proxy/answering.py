"""The way back: the upstream's answer through the same screen, whole here, as a stream in `relaying.py`."""

from __future__ import annotations

from functools import partial
from typing import Any

from aiohttp import web

from detectors.errors import UpstreamError
from detectors.types import Direction
from proxy.closing import finish_bytes
from proxy.codec import Codec, Target
from proxy.exchange import Exchange
from proxy.file_answer import FileAnswer
from proxy.foreseeing import foresee, spoken
from proxy.limits.estimating import size_of
from proxy.output_check import joined, said_texts, verdict_on
from proxy.parts import Parts
from proxy.provider_state import note_creations
from proxy.pseudonyms.keeping import restoration_of
from proxy.responses import upstream_headers
from proxy.screen import Screened
from proxy.screening import policy_of, refuse, screen_document
from proxy.streams.relaying import answer_stream
from proxy.streams.sse import SSE, begins_stream
from proxy.upstreams.reading import error_code, once, read_error, relayed_status, timed, whole
from proxy.upstreams.upstream import UpstreamAnswer
from storage.types import Outcome


async def answer(
    parts: Parts, exchange: Exchange, codec: Codec, target: Target, request: web.BaseRequest, upstream: UpstreamAnswer
) -> web.StreamResponse:
    """Screen the upstream's answer and send it. Raises UpstreamError while nothing was sent."""
    exchange.headers |= upstream_headers(upstream.headers)
    if upstream.status in {401, 407} and not exchange.own_credential:
        raise UpstreamError(
            exchange.upstream, "credential"
        )  # what it says of it, like the key's end, is for nobody here
    kind = upstream.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind == SSE and not codec.streams:  # it may never end, and its events are of no known shape
        raise UpstreamError(exchange.upstream, "protocol")
    if upstream.status < 300 and (kind == SSE or (exchange.streaming and kind == codec.stream(target).content_type)):
        chunks = timed(exchange, upstream.chunks())
        return await answer_stream(parts, exchange, codec, target, request, upstream, chunks)
    raw = await whole(exchange, upstream)
    if not raw and target.method == "DELETE" and upstream.status < 300:
        raw = b"{}"  # some upstreams say nothing of what is no more
    read = partial(codec.read_answer, raw, kind) if upstream.status < 300 else partial(read_error, raw)
    document = await parts.screen.aside.run_if_long(len(raw), read)
    if document is None and upstream.status < 300 and codec.streams and begins_stream(raw):
        # A stream under a wrong label is still a stream.
        return await answer_stream(parts, exchange, codec, target, request, upstream, once(raw))
    if document is None:
        # An HTML page or a plain text could be anything, also an echo of the prompt: ours goes out instead.
        raise UpstreamError(exchange.upstream, "protocol")
    return await _answer_whole(parts, exchange, codec, upstream.status, document, len(raw))


async def _answer_whole(
    parts: Parts, exchange: Exchange, codec: Codec, given: int, document: dict[str, Any], size: int
) -> web.Response:
    policy, aside = policy_of(exchange), parts.screen.aside
    exchange.usage = codec.usage(document)
    walk = await aside.run_if_long(size, partial(codec.segments, document, Direction.RESPONSE))
    if exchange.usage.completion_tokens is None and given < 300:
        exchange.relayed = sum(map(size_of, spoken(walk)))
    verdict = await screen_document(parts, exchange, document, walk)
    if verdict.effect.stop:
        blocked = None if isinstance(document, FileAnswer) else document
        return await refuse(parts, exchange, codec, verdict, Direction.RESPONSE, policy, blocked)
    whole = None
    if policy.output is not None and given < 300:
        whole = verdict_on(parts, exchange, policy, said_texts(document, codec.layout))
    if whole is not None:
        verdict = joined(verdict, whole)
        exchange.keep(Screened(verdict, ()), Direction.RESPONSE)
        if verdict.effect.stop:
            return await refuse(parts, exchange, codec, verdict, Direction.RESPONSE, policy, document)
    restoration = restoration_of(exchange)
    restored = restoration is not None and restoration.restore(document, codec.layout)
    if restored or verdict.effect.edits:
        codec.without_copies(document)
        await foresee(parts, exchange, spoken(codec.segments(document, Direction.RESPONSE)))
    if given < 300:
        await note_creations(parts, exchange, codec.creations(document))
    status = relayed_status(given)
    exchange.end(Outcome.ANSWERED if status < 300 else Outcome.UPSTREAM_ERROR, status, error_code(document))
    content = await aside.run_if_long(size, partial(codec.write_answer, document))
    return await finish_bytes(parts, exchange, *content)
