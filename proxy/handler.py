"""The way of a request, told once: every other room of the proxy is a sentence of this story."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

import structlog
from aiohttp import web

from detectors.errors import EdgeError, UpstreamError
from detectors.types import Direction
from policies.types import Verdict
from proxy.admission import admit, admit_body, hold_to_policy
from proxy.answering import answer
from proxy.closing import close, finish
from proxy.codec import Codec, Target, Words
from proxy.detour import Detour
from proxy.edge import expected_size, read_body, read_target, told_target
from proxy.egress.door import answer_ours, client_of
from proxy.evaluating import evaluate
from proxy.exchange import Exchange
from proxy.forward import choose_upstreams, forward
from proxy.guarding import guard_answer
from proxy.hook import choose_hook, spoken_status
from proxy.identity import presented_key
from proxy.judging.beside import send_while_judged
from proxy.key_limits import hold_to_scopes, names_of
from proxy.overload import RETRY_HEADERS, Place, Room
from proxy.parts import Parts
from proxy.provider_state import hold_references
from proxy.pseudonyms.keeping import keep_with_conversations
from proxy.refusals import METRIC, reason_of
from proxy.responses import retry_headers
from proxy.routing import choose_codec, default_codec, error_codec, open_route
from proxy.screen import WhenJudged
from proxy.screening import refuse, screen_document
from proxy.upstreams.model_list import claims_models, list_models
from storage.types import Outcome

_LOG: Final = structlog.get_logger("promptshield.proxy")
_UPSTREAM_STATUS: Final = {"timeout": 504, "unavailable": 503}
# A moment later, or with another worker, it may go well.
_SOON_OVER: Final = frozenset({"overloaded", "overloaded_tenant", "identity_unavailable"})


class Handler:
    """Answers every request of the data plane; whatever happens, the exchange is closed and nothing passes unjudged."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._fallback = default_codec(parts.codecs)  # whose errors are sent while nobody knows what is spoken
        self.room = Room(parts.edge.in_flight, parts.edge.held)

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        parts = self._parts
        exchange = Exchange.open(request.headers.get("x-request-id"), request.method, request.remote or "")
        if parts.tracing is not None:
            exchange.trace = parts.tracing.begin(exchange.id, request.headers.get("traceparent"))
        hook = choose_hook(parts.hooks, request.raw_path)
        exchange.words = hook or self._fallback
        place = Place(self.room)
        try:
            place.enter()
            target = read_target(request)
            headers = request.headers
            exchange.destination = parts.door.destination(headers)
            if exchange.destination is not None:
                exchange.via, exchange.network = "egress", client_of(headers)
                ours = await answer_ours(parts.door, parts.keys, parts.metrics, request)
                if ours is not None:
                    return ours
            if hook is not None:
                return await evaluate(parts, exchange, place, request, target, hook)
            codec = choose_codec(parts.codecs, target, headers) or error_codec(parts.codecs, target, headers)
            exchange.words = codec
            return await self._tell(exchange, place, request, target, codec)
        except EdgeError as exc:
            return await self._reject(exchange, self._words(exchange, request), exc)
        except UpstreamError as exc:
            return await self._report(exchange, exchange.words, exc)
        except (asyncio.CancelledError, ConnectionError):
            exchange.end(Outcome.CLIENT_CLOSED, exchange.status or 499)
            raise
        except Exception as exc:  # noqa: BLE001 - the last line: whatever went wrong, nothing passes
            return await self._fail(exchange, request, exchange.words, exc)
        finally:
            place.leave()
            try:
                await close(parts, exchange)
            finally:
                self._let_go(exchange)

    def _words(self, exchange: Exchange, request: web.BaseRequest) -> Words:
        """Return in whose words to refuse, also what nobody could make out."""
        if exchange.words is not None and exchange.words is not self._fallback:
            return exchange.words
        return error_codec(self._parts.codecs, told_target(request), request.headers)

    def _let_go(self, exchange: Exchange) -> None:
        if exchange.meter is not None:
            exchange.meter.release()
        if exchange.identity is not None:
            self._parts.metrics.leave(exchange.identity.tenant)

    async def _tell(
        self, exchange: Exchange, place: Place, request: web.BaseRequest, target: Target, codec: Codec
    ) -> web.StreamResponse:
        parts = self._parts
        presented = presented_key(request.headers, codec.credential(request.headers, target.query))
        await admit(parts, exchange, presented)
        policy = exchange.policy
        assert exchange.identity is not None  # noqa: S101 - admitted
        assert policy is not None  # noqa: S101 - admitted
        place.claim(exchange.identity.tenant, expected_size(request, policy.limits.body))
        exchange.dialect, exchange.vocabulary = codec.name, codec.vocabulary
        if claims_models(target):
            hold_to_scopes(exchange.identity, names_of(codec.dialect, parts.codecs), target.method, target.path)
            return await list_models(parts, exchange, codec, target, presented)
        if not codec.claims(target.method, target.path):
            codec = exchange.words = open_route(parts.codecs, policy, target, codec)
            exchange.dialect, exchange.vocabulary = codec.name, codec.vocabulary
        hold_to_scopes(exchange.identity, (codec.dialect, codec.name), target.method, target.path)
        exchange.route = f"{target.method} {codec.route(target)}"
        raw = await read_body(request, policy.limits.body, parts.edge.body_idle, parts.edge.body_total)
        place.correct(len(raw))
        aside, kind = parts.screen.aside, request.headers.get("Content-Type", "")
        body = await aside.run_if_long(len(raw), partial(codec.read_body, target, raw, kind))
        exchange.streaming = codec.streaming(target, body)
        walk = await aside.run_if_long(len(raw), partial(codec.segments, body, Direction.REQUEST))
        hold_to_policy(exchange, policy, codec, target, body, walk)
        await admit_body(parts, exchange, request.headers, raw, body, walk)
        upstreams = choose_upstreams(parts, exchange, codec)
        references = codec.references(target, body)
        if references:  # objects live at one upstream
            upstreams = await hold_references(parts, exchange, codec, references, upstreams)
        detour = Detour(parts, exchange, codec, target, body, upstreams)
        verdict = await screen_document(parts, exchange, body, walk, detour=detour, judges=WhenJudged.BESIDE)
        target, upstreams = detour.target, detour.upstreams
        if verdict.effect.stop:
            return await refuse(parts, exchange, codec, verdict, Direction.REQUEST, policy)
        await aside.run_if_long(len(raw), partial(guard_answer, exchange, policy, codec, body, walk))
        await keep_with_conversations(parts, exchange)
        content = codec.write_body(body)
        path = codec.upstream_path(target)
        sending = forward(parts, exchange, upstreams, codec, target, path, content, request.headers, presented)
        sent = await send_while_judged(exchange, sending)
        if isinstance(sent, Verdict):
            return await refuse(parts, exchange, codec, sent, Direction.REQUEST, policy)
        try:
            return await answer(parts, exchange, codec, target, request, sent)
        finally:
            sent.close()

    async def _reject(self, exchange: Exchange, words: Words, why: EdgeError) -> web.Response:
        exchange.end(Outcome.REJECTED, spoken_status(words, why.status), why.code)
        self._parts.metrics.count(METRIC, (reason_of(why.code),))
        body = words.error(why.status, why.code, why.message, why.param)
        retry = RETRY_HEADERS if why.code in _SOON_OVER else retry_headers(why.status)
        response = await finish(self._parts, exchange, body, retry)
        if why.status in {400, 408, 413}:  # what is left of the body is not worth reading
            response.force_close()
        return response

    async def _report(self, exchange: Exchange, words: Words, why: UpstreamError) -> web.Response:
        exchange.error_stage = f"upstream:{why.kind}"
        status = _UPSTREAM_STATUS.get(why.kind, 502)
        exchange.end(Outcome.UPSTREAM_ERROR, status, f"upstream_{why.kind}")
        body = words.error(status, f"upstream_{why.kind}", f"The upstream failed ({why.kind}).")
        return await finish(self._parts, exchange, body, {"retry-after": "5"} if why.kind == "unavailable" else {})

    async def _fail(self, exchange: Exchange, request: web.BaseRequest, words: Words, why: Exception) -> web.Response:
        # The message may quote the request, so only the kind of error and where it rose are logged.
        frame = why.__traceback__
        while frame is not None and frame.tb_next is not None:
            frame = frame.tb_next
        place = "" if frame is None else f"{frame.tb_frame.f_code.co_name}:{frame.tb_lineno}"
        _LOG.error("internal error", error=type(why).__name__, place=place, decision=exchange.id)
        exchange.error_stage = type(why).__name__
        begun = request.writer.output_size > 0
        exchange.end(Outcome.INTERNAL_ERROR, exchange.status if begun else spoken_status(words, 500), "internal_error")
        body = words.error(500, "internal_error", "Internal error; nothing was forwarded without inspection.")
        response = await finish(self._parts, exchange, body, retry_headers(500))
        if begun:  # a second answer must not stand inside the first: it breaks off instead
            raise ConnectionError("an answer had begun")
        return response
