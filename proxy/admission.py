"""Who may pass: identity, policy and limits, all before the body is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from detectors.errors import EdgeError, IdentityError
from policies.candidates import in_force
from policies.types import Policy
from proxy.bodies.walk import Walk
from proxy.codec import Codec, JsonObject, Target
from proxy.exchange import Exchange
from proxy.identity import Presented
from proxy.key_limits import hold_to_models
from proxy.limits.accounting import is_retry, take_over
from proxy.limits.assessing import assess
from proxy.limits.estimating import estimate
from proxy.limits.metering import Meter
from proxy.limits.plan import PER_DOLLAR
from proxy.parts import Parts
from proxy.recording.remembrance import client_at


async def admit(parts: Parts, exchange: Exchange, presented: Presented) -> None:
    """Give the exchange its identity, policy and grant. Raises EdgeError 401, 429 or 503."""
    try:
        exchange.identity = await parts.keys.identify(presented.key)
    except IdentityError as exc:
        if exc.unavailable:
            raise EdgeError(503, "identity_unavailable", "API keys cannot be checked at the moment.") from exc
        raise EdgeError(401, "invalid_api_key", "The API key is not valid here.") from exc
    parts.metrics.enter(exchange.identity.tenant)
    exchange.content_key = parts.house_keys.tenant_content_key(exchange.identity.tenant_id)
    client = client_at(exchange.network, exchange.content_key)
    exchange.personal, exchange.personal_digest, exchange.subjects = client
    policy = parts.policies.policy_for(exchange.identity.tenant, exchange.identity.app)
    policy = parts.releases.applied(policy, exchange.identity.tenant_id)
    policy = exchange.policy = in_force(policy, exchange.identity.key_id, exchange.opened_at)
    if policy.limits.metered:
        exchange.meter = Meter(parts.metering, policy, exchange.identity, exchange.headers)
        await exchange.meter.enter()
    if policy.reads_cost:
        exchange.spent_today = parts.metering.spending.today(exchange.identity.tenant_id) / PER_DOLLAR


async def admit_body(
    parts: Parts, exchange: Exchange, headers: Mapping[str, str], raw: bytes, body: JsonObject, walk: Walk
) -> None:
    """Take what the request is estimated to use, and let its sender's risk change the policy. Raises EdgeError 429."""
    exchange.asked = walk
    policy, meter = exchange.policy, exchange.meter
    if policy is None:
        return
    if meter is not None:
        exchange.raw = raw
        if is_retry(headers):
            await take_over(parts, exchange, meter)
        if meter.spends:
            await meter.spend(estimate(exchange.dialect, body, walk), (exchange.model, *exchange.fallbacks))
    if policy.risk is not None:
        await assess(parts, exchange, policy, policy.risk, headers, body)


def hold_to_policy(
    exchange: Exchange, policy: Policy, codec: Codec, target: Target, body: JsonObject, walk: Walk
) -> None:
    """Hold models and the lengths of the newest user texts against the policy. Raises EdgeError 400 or 403."""
    models = codec.models(target, body)
    if not models and codec.needs_model:
        raise EdgeError(400, "missing_required_parameter", "You must provide a model parameter.", "model")
    exchange.model, exchange.fallbacks = models[0] if models else "", models[1:]
    for model in models:
        if not policy.allows_model(model):
            raise EdgeError(403, "model_not_allowed", "The policy does not allow this model.", "model")
        hold_to_models(exchange.identity, model)
    hold_texts(policy, walk, codec.param)


def hold_texts(policy: Policy, walk: Walk, param: Callable[[str], str]) -> None:
    """Hold the lengths of the newest user texts against the policy. Raises EdgeError 400."""
    for segment in walk.newest_user_texts():
        if len(segment.text) > policy.limits.text:
            message = f"A text has {len(segment.text)} characters, the policy allows {policy.limits.text}."
            raise EdgeError(400, "string_above_max_length", message, param(segment.pointer))
