"""Another way than the client asked for: a rule's route is taken once, and what it leads to is held to the policy."""

from __future__ import annotations

from collections.abc import Sequence

from detectors.errors import EdgeError
from policies.types import Route
from proxy.codec import Codec, JsonObject, Target
from proxy.exchange import Exchange
from proxy.forward import choose_upstreams
from proxy.parts import Parts
from proxy.settings import UpstreamSettings


class Detour:
    """Where a request goes: `target` and `upstreams`, until `take` changes both."""

    def __init__(
        self,
        parts: Parts,
        exchange: Exchange,
        codec: Codec,
        target: Target,
        body: JsonObject,
        upstreams: Sequence[UpstreamSettings],
    ) -> None:
        self._parts, self._exchange, self._codec, self._body = parts, exchange, codec, body
        self.target, self.upstreams = target, upstreams

    def take(self, route: Route) -> bool:
        """Go another way, and forget the facts of the first. False where that cannot be done: the request names no
        model, or leans on what lives at one upstream. Raises EdgeError for a model that is not allowed or not served.
        """
        exchange, codec = self._exchange, self._codec
        if codec.references(self.target, self._body):
            return False
        if route.model and route.model != exchange.model:
            target = codec.with_model(self.target, self._body, route.model)
            if target is None:
                return False
            self.target = target
            exchange.asked_model, exchange.model = exchange.model, route.model
        for model in codec.models(self.target, self._body):
            if exchange.policy is not None and not exchange.policy.allows_model(model):
                raise EdgeError(403, "model_not_allowed", "The policy does not allow this model.", "model")
        served = choose_upstreams(self._parts, exchange, codec)
        self.upstreams = [one for one in served if route.upstream in {"", one.name}]
        if not self.upstreams:
            raise EdgeError(404, "model_not_found", "No upstream of the policy's route serves this model.", "model")
        exchange.upstream = self.upstreams[0].name
        exchange.detoured = True
        exchange.forget_facts()
        return True
