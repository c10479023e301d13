"""The way back of a stream: screened while it flows, and journaled before the event that ends it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Final

from aiohttp import web

from detectors.errors import UpstreamError
from detectors.types import Direction
from policies.phrases import waits_for_phrases
from policies.types import Mode, Policy
from proxy.closing import answer_headers, close
from proxy.codec import Codec, Target
from proxy.exchange import Exchange
from proxy.foreseeing import foresee
from proxy.output_check import SaidInStream, verdict_on
from proxy.parts import Parts
from proxy.provider_state import note_creations
from proxy.pseudonyms.keeping import restoration_of
from proxy.recording.remembrance import hear, listen, remember_stream
from proxy.recording.transcript import Transcript
from proxy.screen import WhenJudged
from proxy.screening import judge_walk, policy_of, refusal_of
from proxy.streams.held_texts import Glancing
from proxy.streams.paced import PacedStream
from proxy.streams.slow_reading import slow_reading
from proxy.streams.streaming import StreamEnd, StreamScreen, left_to_the_judge
from proxy.upstreams.reading import overheard
from proxy.upstreams.upstream import UpstreamAnswer
from storage.types import Outcome

_OUTCOMES: Final = {
    StreamEnd.FINISHED: Outcome.ANSWERED,
    StreamEnd.CUT: Outcome.BLOCKED_RESPONSE,
    StreamEnd.UNINSPECTED: Outcome.BLOCKED_RESPONSE,
    StreamEnd.BROKEN: Outcome.UPSTREAM_ERROR,
    StreamEnd.OPEN: Outcome.CLIENT_CLOSED,
}


async def answer_stream(
    parts: Parts,
    exchange: Exchange,
    codec: Codec,
    target: Target,
    request: web.BaseRequest,
    upstream: UpstreamAnswer,
    chunks: AsyncIterator[bytes],
) -> web.StreamResponse:
    policy, reader = policy_of(exchange), codec.stream(target)
    exchange.streaming = True
    transcript = listen(exchange, policy)
    said = None if policy.output is None else SaidInStream(reader, policy.output)
    screen = StreamScreen(
        reader,
        lambda walk: judge_walk(parts, exchange, walk, WhenJudged.NEVER),
        lambda verdict: refusal_of(exchange, policy, verdict, Direction.RESPONSE),
        policy.block_as,
        partial(hear, transcript, exchange),
        lambda event: note_creations(parts, exchange, codec.creations(event)),
        restoration_of(exchange),
        enforcing=policy.mode is Mode.ENFORCE,
        weighed_whole=policy.output is not None,
        glance=_glance_of(parts, exchange, policy),
    )
    if said is not None:
        screen.listen(said.hear)
    slow = slow_reading(exchange, policy, screen, lambda walk: judge_walk(parts, exchange, walk))
    stream = screen if slow is None else PacedStream(screen, slow, policy.streams)
    response = web.StreamResponse(headers={"Content-Type": reader.content_type, "Cache-Control": "no-cache"})
    response.headers.update(answer_headers(exchange))
    exchange.status = 200
    await response.prepare(request)
    try:
        await _relay(parts, exchange, screen, stream, transcript, said, response, chunks)
    except (asyncio.CancelledError, ConnectionError):
        await _close_stream(parts, exchange, screen, transcript)
        raise
    finally:
        upstream.close()
        if not exchange.closed:  # our own failure: the handler's last line names it, and this is how far it came
            _sum_up(exchange, screen)
    await response.write_eof()
    await foresee(parts, exchange, screen.said.texts())
    return response


async def _relay(
    parts: Parts,
    exchange: Exchange,
    screen: StreamScreen,
    stream: StreamScreen | PacedStream,
    transcript: Transcript | None,
    said: SaidInStream | None,
    response: web.StreamResponse,
    chunks: AsyncIterator[bytes],
) -> None:
    """Send what the screen lets through, up to the event that ends the stream, which waits for the journal."""
    try:
        async for data in stream.run(chunks if transcript is None else overheard(chunks, transcript)):
            sent = data
            if stream.ended:
                if said is not None and screen.end is StreamEnd.FINISHED:
                    whole = verdict_on(parts, exchange, policy_of(exchange), said.texts)
                    sent = data if whole is None else screen.weigh(whole, data)
                sent = await _ending(parts, exchange, screen, transcript, sent)
            if sent:  # nothing, where the client has the event from a connection that it lost
                await response.write(sent)
    except UpstreamError as exc:
        data = screen.broken("upstream_error", "The upstream broke off.")
        exchange.error_stage = exc.kind
        await response.write(await _ending(parts, exchange, screen, transcript, data))


async def _ending(
    parts: Parts, exchange: Exchange, screen: StreamScreen, transcript: Transcript | None, data: bytes
) -> bytes:
    """Journal, then return the event that ends the stream; if the decision cannot be recorded, one that says so."""
    if await _close_stream(parts, exchange, screen, transcript):
        return data
    return screen.broken("audit_unavailable", "Decisions cannot be recorded at the moment.")


async def _close_stream(parts: Parts, exchange: Exchange, screen: StreamScreen, transcript: Transcript | None) -> bool:
    if exchange.closed:
        return True
    if transcript is not None:
        await remember_stream(parts, exchange, transcript)
    _sum_up(exchange, screen)
    cut = screen.end in {StreamEnd.CUT, StreamEnd.UNINSPECTED}
    exchange.end(_OUTCOMES[screen.end], 200, "content_filter" if cut else "")
    return await close(parts, exchange)


def _sum_up(exchange: Exchange, screen: StreamScreen) -> None:
    exchange.usage, exchange.held_back, exchange.relayed = screen.usage, screen.held, screen.said.size
    total = screen.tally.total()
    if total is not None:
        exchange.keep(total, Direction.RESPONSE)


def _glance_of(parts: Parts, exchange: Exchange, policy: Policy) -> Glancing:
    """How a stream of this exchange is looked at: not at all where the policy reads nothing, or wants all judged; nor
    where operators' signatures are read, of which a glance knows no beginnings.
    """
    identity = exchange.identity
    if policy.mode is Mode.OFF or identity is None or waits_for_phrases(policy, parts.screen.phrases):
        return left_to_the_judge
    tenant, lexicon = identity.tenant_id, parts.screen.lexicon(policy, identity.tenant, identity.tenant_id)
    if lexicon.packs:
        return left_to_the_judge
    return lambda segment, before: parts.screen.glance(segment, before, tenant, exchange.guard, lexicon)
