"""Who may pass: identity, policy and limits, all before the body is read."""

from __future__ import annotations

from collections.abc import Callable

from detectors.errors import EdgeError, IdentityError
from policies.candidates import in_force
from policies.types import Policy
from proxy.codec import Codec, JsonObject, Target
from proxy.exchange import Exchange
from proxy.identity import Presented
from proxy.key_limits import hold_to_models
from proxy.parts import Parts
from proxy.remembrance import client_at
from proxy.responses import limit_headers
from proxy.walk import Walk
from storage.types import LimitKey


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
    policy = in_force(policy, exchange.identity.key_id, exchange.opened_at)
    exchange.policy = parts.releases.applied(policy, exchange.identity.tenant_id)
    await _take(parts, exchange, exchange.policy)


async def _take(parts: Parts, exchange: Exchange, policy: Policy) -> None:
    rate = policy.limits.requests
    if rate is None or exchange.identity is None:
        return
    key = LimitKey(exchange.identity.tenant_id, "requests", rate.limit, rate.seconds)
    grant = exchange.grant = await parts.limits.take([key], [1])
    exchange.headers |= limit_headers(grant)
    if not grant.allowed:
        raise EdgeError(429, "rate_limit_exceeded", f"More than {rate.limit} requests in {rate.seconds} seconds.")


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
