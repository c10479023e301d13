"""GET /v1/models: what the tenant may use, of what the upstreams say they serve."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import unquote

from aiohttp import web

from detectors.errors import EdgeError, UpstreamError
from detectors.types import Direction
from proxy.bodies.json_document import parse
from proxy.closing import finish
from proxy.codec import Codec, Target
from proxy.exchange import Exchange
from proxy.forward import forward, speaking
from proxy.identity import Presented
from proxy.key_limits import may_use
from proxy.parts import Parts
from proxy.screening import refuse, screen_document
from proxy.settings import UpstreamSettings
from storage.types import Outcome

PATH: Final = "/v1/models"
_PATHS: Final = re.compile(r"/v1(?:alpha|beta)?/models(?:/(.+))?")


def claims_models(target: Target) -> bool:
    return target.method == "GET" and _PATHS.fullmatch(target.path) is not None


async def list_models(
    parts: Parts, exchange: Exchange, codec: Codec, target: Target, presented: Presented
) -> web.Response:
    """Answer with one list over all upstreams, or one model of it. Raises EdgeError 404, UpstreamError if all fail."""
    exchange.route = f"GET {PATH}"
    models = await _gather(parts, exchange, codec, presented)
    match = _PATHS.fullmatch(target.path)
    wanted = unquote(match.group(1) or "") if match else ""
    if wanted:
        found = next((entry for name, entry in models if name == wanted), None)
        if found is None:
            raise EdgeError(404, "model_not_found", "No upstream serves this model.", "model")
        document = found
    else:
        document = codec.model_list([entry for _, entry in models])
    verdict = await screen_document(parts, exchange, document, codec.segments(document, Direction.RESPONSE))
    policy = exchange.policy
    if verdict.effect.stop and policy is not None:
        return await refuse(parts, exchange, codec, verdict, Direction.RESPONSE, policy)
    exchange.end(Outcome.ANSWERED, 200)
    return await finish(parts, exchange, document)


async def _gather(
    parts: Parts, exchange: Exchange, codec: Codec, presented: Presented
) -> list[tuple[str, dict[str, Any]]]:
    models: dict[str, dict[str, Any]] = {}
    failure: UpstreamError | None = None
    for upstream in speaking(parts, exchange, codec):
        try:
            for name, entry in await _ask(parts, exchange, upstream, codec, presented):
                if upstream in speaking(parts, exchange, codec, name)[:1] and _allowed(exchange, name):
                    models.setdefault(name, entry)
        except UpstreamError as exc:
            failure = exc
    if failure is not None and not models:
        raise failure
    return list(models.items())


async def _ask(
    parts: Parts, exchange: Exchange, upstream: UpstreamSettings, codec: Codec, presented: Presented
) -> list[tuple[str, dict[str, Any]]]:
    exchange.upstream = upstream.name
    answer = await forward(
        parts, exchange, [upstream], codec, Target("GET", PATH), codec.models_path, None, {}, presented
    )
    try:
        document = parse(await answer.read())
        if answer.status != 200 or not isinstance(document, dict):
            raise UpstreamError(upstream.name, "protocol")
        return codec.listed_models(document)
    except ValueError as exc:  # no JSON, or no list
        raise UpstreamError(upstream.name, "protocol") from exc
    finally:
        answer.close()


def _allowed(exchange: Exchange, model: str) -> bool:
    allowed = exchange.policy is not None and exchange.policy.allows_model(model)
    return allowed and may_use(exchange.identity, model)
