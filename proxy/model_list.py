"""GET /v1/models: what the tenant may use, of what the upstreams say they serve."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from aiohttp import web

from detectors.errors import EdgeError, UpstreamError
from detectors.types import Direction
from proxy.answering import refuse, screen_document
from proxy.closing import finish
from proxy.codec import Codec, Target
from proxy.exchange import Exchange
from proxy.forward import forward
from proxy.identity import Presented
from proxy.json_document import JsonError, parse
from proxy.parts import Parts
from proxy.settings import UpstreamSettings
from storage.types import Outcome

PATH = "/v1/models"


def claims_models(target: Target) -> bool:
    return target.method == "GET" and (target.path == PATH or target.path.startswith(f"{PATH}/"))


async def list_models(
    parts: Parts, exchange: Exchange, codec: Codec, target: Target, presented: Presented
) -> web.Response:
    """Answer with one list over all upstreams, or one model of it. Raises EdgeError 404, UpstreamError if all fail."""
    exchange.route = f"GET {PATH}"
    models = await _gather(parts, exchange, codec, presented)
    wanted = unquote(target.path.removeprefix(PATH).lstrip("/"))
    if wanted:
        found = next((model for model in models if model["id"] == wanted), None)
        if found is None:
            raise EdgeError(404, "model_not_found", "No upstream serves this model.", "model")
        document = found
    else:
        document = {"object": "list", "data": models}
    verdict = await screen_document(parts, exchange, document, codec.segments(document, Direction.RESPONSE))
    policy = exchange.policy
    if verdict.effect.stop and policy is not None:
        return await refuse(parts, exchange, codec, verdict, Direction.RESPONSE, policy)
    exchange.end(Outcome.ANSWERED, 200)
    return await finish(parts, exchange, document)


async def _gather(parts: Parts, exchange: Exchange, codec: Codec, presented: Presented) -> list[dict[str, Any]]:
    models: dict[str, dict[str, Any]] = {}
    failure: UpstreamError | None = None
    for upstream in parts.upstreams.all:
        try:
            for model in await _ask(parts, exchange, upstream, codec, presented):
                if parts.upstreams.serving(model["id"]) is upstream and _allowed(exchange, model["id"]):
                    models.setdefault(model["id"], model)
        except UpstreamError as exc:
            failure = exc
    if failure is not None and not models:
        raise failure
    return list(models.values())


async def _ask(
    parts: Parts, exchange: Exchange, upstream: UpstreamSettings, codec: Codec, presented: Presented
) -> list[dict[str, Any]]:
    exchange.upstream = upstream.name
    answer = await forward(parts, exchange, upstream, codec, Target("GET", PATH), None, {}, presented)
    try:
        document = parse(await answer.read())
    except JsonError as exc:
        raise UpstreamError(upstream.name, "protocol") from exc
    finally:
        answer.close()
    listed = document.get("data") if isinstance(document, dict) else None
    if answer.status != 200 or not isinstance(listed, list):
        raise UpstreamError(upstream.name, "protocol")
    return [model for model in listed if isinstance(model, dict) and isinstance(model.get("id"), str)]


def _allowed(exchange: Exchange, model: str) -> bool:
    return exchange.policy is not None and exchange.policy.allows_model(model)
