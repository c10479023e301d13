"""The way of a guard hook's call: as a request's, up to the verdict, which goes back to whoever asked for it."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from aiohttp import web

from detectors.errors import EdgeError
from detectors.types import Direction
from policies.types import Policy, StopReason, Verdict
from proxy.admission import admit, hold_texts
from proxy.bodies.json_document import repeats_a_key
from proxy.closing import close, finish
from proxy.codec import Target
from proxy.edge import expected_size, read_body, read_json
from proxy.exchange import Exchange
from proxy.hook import MOUNT, Asked, Hook, Reply, spoken_status
from proxy.identity import presented_key
from proxy.key_limits import hold_to_scopes, scope_of_hook
from proxy.limits.assessing import assess
from proxy.overload import Place
from proxy.parts import Parts
from proxy.providers._openai_shapes import VOCABULARY, param_of, told_of
from proxy.screening import refusal_of, screen_document
from storage.types import Outcome

_STOPPED: Final = {Direction.REQUEST: Outcome.BLOCKED_REQUEST, Direction.RESPONSE: Outcome.BLOCKED_RESPONSE}


async def evaluate(
    parts: Parts, exchange: Exchange, place: Place, request: web.BaseRequest, target: Target, hook: Hook
) -> web.Response:
    """Judge what a neighbour sent, and tell it the verdict. Raises EdgeError; nothing goes to any upstream."""
    exchange.via, exchange.dialect = f"hook:{hook.name}", scope_of_hook(hook.name)
    exchange.vocabulary, path = VOCABULARY, target.path.removeprefix(f"{MOUNT}{hook.name}")
    known = target.method == "POST" and path in hook.paths
    exchange.route = f"POST {target.path}" if known else ""
    await admit(parts, exchange, presented_key(request.headers, hook.credential(request.headers)))
    policy = exchange.policy
    assert exchange.identity is not None  # noqa: S101 - admitted
    assert policy is not None  # noqa: S101 - admitted
    if not known:
        raise EdgeError(404, "unknown_path", "There is nothing at this path.")
    hold_to_scopes(exchange.identity, (exchange.dialect,), "POST", target.path)
    place.claim(exchange.identity.tenant, expected_size(request, policy.limits.body))
    raw = await read_body(request, policy.limits.body, parts.edge.body_idle, parts.edge.body_total)
    place.correct(len(raw))
    asked: Asked = await parts.screen.aside.run_if_long(len(raw), partial(_read, parts, hook, path, raw))
    exchange.model = asked.model
    hold_texts(policy, asked.walk, param_of)
    if policy.risk is not None:
        await assess(parts, exchange, policy, policy.risk, request.headers, asked.document)
    verdict = await screen_document(parts, exchange, asked.document, asked.walk, asked.takes_back)
    return await _answer(parts, exchange, hook, asked, verdict, policy)


def _read(parts: Parts, hook: Hook, path: str, raw: bytes) -> Asked:
    """Raises EdgeError 400, also where what the neighbour sends on may be read otherwise than it was here."""
    call = read_json(raw)
    if repeats_a_key(raw, call):
        raise EdgeError(400, "invalid_json", "The body has a key twice in one object.")
    return hook.read(path, call, parts.codecs)


async def _answer(
    parts: Parts, exchange: Exchange, hook: Hook, asked: Asked, verdict: Verdict, policy: Policy
) -> web.Response:
    uninspected = verdict.stop_reason is StopReason.UNINSPECTED
    if verdict.effect.stop:
        code = "inspection_unavailable" if uninspected else "content_filter"
        exchange.error_stage = ",".join(verdict.degraded) if uninspected else ""
        exchange.end(_STOPPED[asked.walk.direction], 200, code)
    else:
        exchange.end(Outcome.ANSWERED, 200)
    told: dict[str, Any] = hook.answer(
        Reply(asked, verdict, exchange.id, _reason(exchange, asked, verdict, policy), policy.disclose)
    )
    if not await close(parts, exchange):  # an answer that nobody recorded is none
        exchange.status = spoken_status(hook, 503)
        told = hook.error(503, "audit_unavailable", "Decisions cannot be recorded at the moment.")
    return await finish(parts, exchange, told)


def _reason(exchange: Exchange, asked: Asked, verdict: Verdict, policy: Policy) -> str:
    """Return one sentence on what the policy does, as much of it as it discloses; empty where it does nothing."""
    if verdict.stop_reason is StopReason.UNINSPECTED:
        return "The text could not be inspected."
    if verdict.effect.stop:
        return told_of(refusal_of(exchange, policy, verdict, asked.walk.direction)).sentence
    return "Masked by policy" if verdict.effect.edits else ""
