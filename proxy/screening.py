"""The screen in one exchange: judge a walked body, carry out what is asked for, and say no where it stops."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from aiohttp import web

from detectors.aside import FINDING
from detectors.language import guess_language
from detectors.types import Direction
from policies.candidates import is_sampled
from policies.types import BlockAs, Edit, Policy, StopReason, Verdict
from proxy.bodies.pointer import UneditableError, apply_edits
from proxy.bodies.walk import Walk
from proxy.closing import finish
from proxy.codec import Codec, Refusal
from proxy.detour import Detour
from proxy.exchange import Exchange
from proxy.guarding import take_back
from proxy.limits.assessing import weigh_risk
from proxy.parts import Parts
from proxy.pseudonyms.keeping import name_values
from proxy.recording.remembrance import remember
from proxy.responses import SOON_DECIDED, retry_headers
from proxy.screen import Screened, WhenJudged
from storage.types import Outcome

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
    """Judge a walked body and carry out the edits on it, in place; the verdict names them as they were carried out.
    An edit that cannot be made becomes a stop, and so does one that is not `editable`: whoever asked could not.

    Where the verdict on a request names a route, `detour` is taken, and what was found is decided once more, for the
    new way; a request for which there is none stops. Who has `judges` asked beside what comes next must await
    `exchange.later`.
    """
    take_back(document, walk)
    if walk.direction is Direction.REQUEST and policy_of(exchange).reads_language:
        exchange.language = guess_language("\n".join(segment.text for segment in walk.newest_user_texts()))
    screened = await judge_walk(parts, exchange, walk, judges)
    route, labels = screened.verdict.effect.route, screened.verdict.effect.labels
    if route is not None and walk.direction is Direction.REQUEST:
        if detour is not None and detour.take(route):
            screened = (await judge_walk(parts, exchange, walk, judges)).with_labels(labels)
        else:
            screened = screened.as_stop()
    if exchange.risk is not None:
        screened = weigh_risk(parts, exchange, screened, walk.direction)
    await remember(parts, exchange, document, walk, screened.verdict)
    edits = made = screened.verdict.effect.edits
    if edits and not editable(edits):
        screened = screened.as_stop()
    elif edits:
        try:
            named = name_values(parts, exchange, document, edits)
            await parts.screen.aside.run_if_long(len(edits) * FINDING, partial(apply_edits, document, named))
            made = tuple(named)
        except UneditableError:
            screened = screened.as_stop()
    exchange.keep(screened, walk.direction)
    verdict = screened.verdict
    return verdict if made == edits else replace(verdict, effect=replace(verdict.effect, edits=made))


async def judge_walk(parts: Parts, exchange: Exchange, walk: Walk, judges: WhenJudged = WhenJudged.BEFORE) -> Screened:
    assert exchange.identity is not None  # noqa: S101 - nobody is judged before being admitted
    policy, facts, tenant_id = policy_of(exchange), exchange.facts(), exchange.identity.tenant_id
    key, guard, started = exchange.content_key, exchange.guard, time.perf_counter()
    sampled = is_sampled(policy, exchange.id, exchange.opened_at)
    screened = await parts.screen.judge(walk, policy, facts, tenant_id, key, guard, judges=judges, sampled=sampled)
    if exchange.trace is not None:
        exchange.trace.step(f"screen {walk.direction}", started, screened.runs)
    return screened


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
        return await finish(parts, exchange, body, SOON_DECIDED if exchange.soon_decided else retry_headers(503))
    refusal = refusal_of(exchange, policy, verdict, direction)
    outcome = Outcome.BLOCKED_REQUEST if asked else Outcome.BLOCKED_RESPONSE
    if asked or policy.block_as is BlockAs.ERROR or document is None:
        exchange.end(outcome, 400, "content_filter")
        return await finish(parts, exchange, codec.refusal(refusal))
    exchange.end(outcome, 200, "content_filter")
    return await finish(parts, exchange, codec.blocked_answer(refusal, policy.block_as, document))


def refusal_of(exchange: Exchange, policy: Policy, verdict: Verdict, direction: Direction) -> Refusal:
    text = policy.refusal_text(exchange.facts().language)
    return Refusal(verdict, direction, policy.disclose, exchange.id, text)


def policy_of(exchange: Exchange) -> Policy:
    assert exchange.policy is not None  # noqa: S101 - nobody is judged before being admitted
    return exchange.policy
