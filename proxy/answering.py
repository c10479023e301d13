"""The way back: the upstream's answer, JSON or stream, through the same screen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial
from typing import Any, Final

from aiohttp import web

from detectors.aside import FINDING
from detectors.errors import UpstreamError
from detectors.language import guess_language
from detectors.types import Direction
from policies.phrases import waits_for_phrases
from policies.types import BlockAs, Edit, Mode, Policy, StopReason, Verdict
from proxy.closing import answer_headers, close, finish, finish_bytes
from proxy.codec import Codec, Refusal, Target
from proxy.detour import Detour
from proxy.exchange import Exchange
from proxy.file_answer import FileAnswer
from proxy.foreseeing import foresee, spoken
from proxy.guarding import take_back
from proxy.output_check import SaidInStream, joined, said_texts, verdict_on
from proxy.paced import PacedStream
from proxy.parts import Parts
from proxy.pointer import UneditableError, apply_edits
from proxy.provider_state import note_creations
from proxy.pseudonym_keeping import name_values, restoration_of
from proxy.remembrance import hear, listen, remember, remember_stream
from proxy.responses import SOON_DECIDED, retry_headers, upstream_headers
from proxy.screen import Screened, WhenJudged
from proxy.slow_reading import slow_reading
from proxy.sse import SSE, begins_stream
from proxy.streaming import Glancing, StreamEnd, StreamScreen, left_to_the_judge
from proxy.transcript import Transcript
from proxy.upstream import UpstreamAnswer
from proxy.upstream_reading import error_code, once, overheard, read_error, relayed_status, timed, whole
from proxy.walk import Walk
from storage.types import Outcome

_OUTCOMES: Final = {
    StreamEnd.FINISHED: Outcome.ANSWERED,
    StreamEnd.CUT: Outcome.BLOCKED_RESPONSE,
    StreamEnd.UNINSPECTED: Outcome.BLOCKED_RESPONSE,
    StreamEnd.BROKEN: Outcome.UPSTREAM_ERROR,
    StreamEnd.OPEN: Outcome.CLIENT_CLOSED,
}

Editable = Callable[[Iterable[Edit]], bool]  # whether all of these can be carried out by whoever is to


async def screen_document(
    parts: Parts,
    exchange: Exchange,
    document: Any,
    walk: Walk,
    editable: Editable = all,
    detour: Detour | None = None,
    judges: WhenJudged = WhenJudged.BEFORE,
) -> Verdict:
    """Judge a walked body and carry out the edits on it, in place. An edit that cannot be made becomes a stop, and so
    does one that is not `editable`: whoever asked could not carry it out.

    Where the verdict on a request names a route, `detour` is taken, and what was found is decided once more, for the
    new way; a request for which there is none stops. Who has `judges` asked beside what comes next must await
    `exchange.later`.
    """
    take_back(document, walk)
    if walk.direction is Direction.REQUEST and _policy(exchange).reads_language:
        exchange.language = guess_language("\n".join(segment.text for segment in walk.newest_user_texts()))
    screened = await _judge(parts, exchange, walk, judges)
    route, labels = screened.verdict.effect.route, screened.verdict.effect.labels
    if route is not None and walk.direction is Direction.REQUEST:
        if detour is not None and detour.take(route):
            screened = (await _judge(parts, exchange, walk, judges)).with_labels(labels)
        else:
            screened = Screened(screened.verdict.as_stop(StopReason.FOUND), screened.runs, screened.calls)
    await remember(parts, exchange, document, walk, screened.verdict)
    edits = screened.verdict.effect.edits
    if edits and not editable(edits):
        screened = Screened(screened.verdict.as_stop(StopReason.FOUND), screened.runs, screened.calls)
    elif edits:
        try:
            named = name_values(parts, exchange, document, edits)
            await parts.screen.aside.run_if_long(len(edits) * FINDING, partial(apply_edits, document, named))
        except UneditableError:
            screened = Screened(screened.verdict.as_stop(StopReason.FOUND), screened.runs, screened.calls)
    exchange.keep(screened, walk.direction)
    return screened.verdict


async def answer(
    parts: Parts, exchange: Exchange, codec: Codec, target: Target, request: web.BaseRequest, upstream: UpstreamAnswer
) -> web.StreamResponse:
    """Screen the upstream's answer and send it. Raises UpstreamError while nothing was sent."""
    exchange.headers |= upstream_headers(upstream.headers)
    kind = upstream.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind == SSE and not codec.streams:  # it may never end, and its events are of no known shape
        raise UpstreamError(exchange.upstream, "protocol")
    if upstream.status < 300 and (kind == SSE or (exchange.streaming and kind == codec.stream(target).content_type)):
        chunks = timed(exchange, upstream.chunks())
        return await _answer_stream(parts, exchange, codec, target, request, upstream, chunks)
    raw = await whole(exchange, upstream)
    if not raw and target.method == "DELETE" and upstream.status < 300:
        raw = b"{}"  # some upstreams say nothing of what is no more
    read = partial(codec.read_answer, raw, kind) if upstream.status < 300 else partial(read_error, raw)
    document = await parts.screen.aside.run_if_long(len(raw), read)
    if document is None and upstream.status < 300 and codec.streams and begins_stream(raw):
        # A stream under a wrong label is still a stream.
        return await _answer_stream(parts, exchange, codec, target, request, upstream, once(raw))
    if document is None:
        # An HTML page or a plain text could be anything, also an echo of the prompt: ours goes out instead.
        raise UpstreamError(exchange.upstream, "protocol")
    return await _answer_whole(parts, exchange, codec, upstream.status, document, len(raw))


async def _answer_whole(
    parts: Parts, exchange: Exchange, codec: Codec, given: int, document: dict[str, Any], size: int
) -> web.Response:
    policy, aside = _policy(exchange), parts.screen.aside
    exchange.usage = codec.usage(document)
    walk = await aside.run_if_long(size, partial(codec.segments, document, Direction.RESPONSE))
    verdict = await screen_document(parts, exchange, document, walk)
    if verdict.effect.stop:
        blocked = None if isinstance(document, FileAnswer) else document
        return await refuse(parts, exchange, codec, verdict, Direction.RESPONSE, policy, blocked)
    whole = verdict_on(parts, exchange, policy, said_texts(document, codec.layout)) if given < 300 else None
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


async def refuse(
    parts: Parts,
    exchange: Exchange,
    codec: Codec,
    verdict: Verdict,
    direction: Direction,
    policy: Policy,
    document: dict[str, Any] | None = None,
) -> web.Response:
    """Answer a verdict that stops: 400 in the dialect's shape, 503 where nobody could look."""
    asked = direction is Direction.REQUEST
    if verdict.stop_reason is StopReason.UNINSPECTED:
        exchange.error_stage = ",".join(verdict.degraded)
        exchange.end(Outcome.REJECTED if asked else Outcome.BLOCKED_RESPONSE, 503, "inspection_unavailable")
        what = "request" if asked else "answer"
        body = codec.error(503, "inspection_unavailable", f"The {what} could not be inspected.")
        return await finish(parts, exchange, body, SOON_DECIDED if exchange.still_judged else retry_headers(503))
    refusal = _refusal(exchange, policy, verdict, direction)
    outcome = Outcome.BLOCKED_REQUEST if asked else Outcome.BLOCKED_RESPONSE
    if asked or policy.block_as is BlockAs.ERROR or document is None:
        exchange.end(outcome, 400, "content_filter")
        return await finish(parts, exchange, codec.refusal(refusal))
    exchange.end(outcome, 200, "content_filter")
    return await finish(parts, exchange, codec.blocked_answer(refusal, policy.block_as, document))


def _refusal(exchange: Exchange, policy: Policy, verdict: Verdict, direction: Direction) -> Refusal:
    text = policy.refusal_text(exchange.facts().language)
    return Refusal(verdict, direction, policy.disclose, exchange.id, text)


async def _answer_stream(
    parts: Parts,
    exchange: Exchange,
    codec: Codec,
    target: Target,
    request: web.BaseRequest,
    upstream: UpstreamAnswer,
    chunks: AsyncIterator[bytes],
) -> web.StreamResponse:
    policy, reader = _policy(exchange), codec.stream(target)
    exchange.streaming = True
    transcript = listen(exchange, policy)
    said = None if policy.output is None else SaidInStream(reader, policy.output)
    screen = StreamScreen(
        reader,
        lambda walk: _judge(parts, exchange, walk, WhenJudged.NEVER),
        lambda verdict: _refusal(exchange, policy, verdict, Direction.RESPONSE),
        policy.block_as,
        partial(hear, transcript, exchange),
        lambda event: note_creations(parts, exchange, codec.creations(event)),
        restoration_of(exchange),
        enforcing=policy.mode is Mode.ENFORCE,
        glance=_glance_of(parts, exchange, policy),
    )
    if said is not None:
        screen.listen(said.hear)
    slow = slow_reading(exchange, policy, screen, lambda walk: _judge(parts, exchange, walk))
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
                    whole = verdict_on(parts, exchange, _policy(exchange), said.texts)
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
    exchange.usage, exchange.held_back = screen.usage, screen.held
    total = screen.tally.total()
    if total is not None:
        exchange.keep(total, Direction.RESPONSE)


async def _judge(parts: Parts, exchange: Exchange, walk: Walk, judges: WhenJudged = WhenJudged.BEFORE) -> Screened:
    assert exchange.identity is not None  # noqa: S101 - nobody is judged before being admitted
    policy, facts, tenant_id = _policy(exchange), exchange.facts(), exchange.identity.tenant_id
    key, guard, started = exchange.content_key, exchange.guard, time.perf_counter()
    screened = await parts.screen.judge(walk, policy, facts, tenant_id, key, guard, judges=judges)
    if exchange.trace is not None:
        exchange.trace.step(f"screen {walk.direction}", started, screened.runs)
    return screened


def _glance_of(parts: Parts, exchange: Exchange, policy: Policy) -> Glancing:
    """How a stream of this exchange is looked at: not at all where the policy reads nothing, or wants all judged."""
    identity = exchange.identity
    if policy.mode is Mode.OFF or identity is None or waits_for_phrases(policy):
        return left_to_the_judge
    tenant, lexicon = identity.tenant_id, parts.screen.lexicon(policy, identity.tenant)
    return lambda segment, before: parts.screen.glance(segment, before, tenant, exchange.guard, lexicon)


def _policy(exchange: Exchange) -> Policy:
    assert exchange.policy is not None  # noqa: S101 - nobody is judged before being admitted
    return exchange.policy
