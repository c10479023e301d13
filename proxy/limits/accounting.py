"""What an exchange used in the end: its tokens, what they cost, and who is to know of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from proxy.codec import Usage
from proxy.exchange import Exchange, digest
from proxy.limits.estimating import BYTES_PER_TOKEN, MOST, estimate
from proxy.limits.metering import Meter
from proxy.parts import Parts
from proxy.telemetry.generation import shown_model
from storage.types import Identity, Outcome

_RETRIES: Final = "x-stainless-retry-count"
_ATTEMPTS: Final = 2  # that may be taken over: SDKs try no more than twice again by themselves
_FAILED: Final = frozenset({Outcome.UPSTREAM_ERROR, Outcome.CLIENT_CLOSED, Outcome.INTERNAL_ERROR})


def account(parts: Parts, exchange: Exchange) -> None:
    """Settle the exchange's meter, and say what it cost in its row. To be called once, when it is over."""
    prompt, completion, counted = _tokens(exchange)
    cost = owed = 0
    if prompt or completion:
        price = parts.metering.prices.of(exchange.model)
        cost = price.cost(prompt, completion)
        # An attempt before this one has a row of its own: both together cost what the request did.
        owed = max(0, cost - (exchange.meter.paid if exchange.meter is not None else 0))
        exchange.spent = told = {"micros": owed}
        if not counted:
            told["estimated"] = True
            exchange.usage = Usage(prompt, completion)
        if not price.known:
            told["unpriced"] = True
            parts.metrics.count("promptshield_unpriced_total", (shown_model(exchange.model),))
    policy, identity, meter = exchange.policy, exchange.identity, exchange.meter
    if policy is None or identity is None:
        return
    if owed and policy.reads_cost:
        parts.metering.spending.add(identity.tenant_id, owed)
    if meter is not None:
        meter.settle(prompt + completion, cost)


async def note_attempt(parts: Parts, exchange: Exchange) -> None:
    """Remember what an exchange was charged that came to nothing, for the one that tries again."""
    identity, meter = exchange.identity, exchange.meter
    if identity is None or meter is None or not exchange.raw or meter.attempts > _ATTEMPTS:
        return
    failed = exchange.outcome in _FAILED or (meter.attempts > 1 and exchange.outcome is Outcome.REJECTED)
    if failed and not _tokens(exchange)[1]:
        await parts.metering.attempts.note(identity.tenant_id, _attempt(exchange, identity), meter.charged)


def is_retry(headers: Mapping[str, str]) -> bool:
    return headers.get(_RETRIES, "0") != "0"


async def take_over(parts: Parts, exchange: Exchange, meter: Meter) -> None:
    """Find what an attempt before this one was charged for the same request and got no usable answer for."""
    if exchange.identity is not None:
        name = _attempt(exchange, exchange.identity)
        meter.take_over(await parts.metering.attempts.take_over(exchange.identity.tenant_id, name))


def _attempt(exchange: Exchange, identity: Identity) -> str:
    """Return what names a request, should it come to nothing and be sent once more."""
    who = f"{identity.app_id}\0{identity.key_id}\0{exchange.route}\0"  # tokens of an issuer have no key
    return digest(exchange.content_key, who.encode() + exchange.raw)


def _tokens(exchange: Exchange) -> tuple[int, int, bool]:
    """Return the tokens of prompt and answer, and whether the provider counted them: else it is an estimate."""
    if not exchange.provider_saw_prompt:
        return 0, 0, True
    usage = exchange.usage
    prompt, completion = usage.prompt_tokens, usage.completion_tokens
    if prompt is not None and completion is not None and prompt <= MOST and completion <= MOST:
        return prompt, completion, True
    if prompt is None and _is_an_error(exchange):
        return 0, 0, True
    counted = prompt is not None
    if prompt is None and exchange.asked is not None:
        prompt = estimate(exchange.dialect, None, exchange.asked).prompt
    if completion is None:
        completion = -(-exchange.relayed // BYTES_PER_TOKEN)
    return min(prompt or 0, MOST), min(completion, MOST), counted and not exchange.relayed


def _is_an_error(exchange: Exchange) -> bool:
    """Tell whether the provider answered with an error as a whole, which nobody pays for."""
    failed = exchange.outcome is Outcome.UPSTREAM_ERROR and not exchange.error_stage
    return failed and not exchange.first_chunk_at
