"""What all endpoints of the OpenAI dialect have in common: keys, errors, refusals, how places are named."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from proxy.bodies.json_document import dump, read_object
from proxy.codec import Headers, JsonObject, Reference, Refusal, Target, Usage
from proxy.edge import read_json
from proxy.providers._credential import AUTHORIZATION, bearer, first_of
from proxy.providers._openai_shapes import VOCABULARY, error_body, param_of, refusal_body, usage_of
from proxy.providers._rerouted import name_model
from proxy.responses import JSON

_MODEL_KEYS: Final = ("model", "models", "fallbacks")
_AZURE_KEY: Final = "api-key"


def _models_in(body: JsonObject) -> Iterator[str]:
    """Yield every model that a request may reach, also by what routers in between let it say."""
    preset, plugins = body.get("preset"), body.get("plugins")  # OpenRouter's
    holders = [body, *(plugins if isinstance(plugins, list) else ())]
    for holder in holders:
        for key in _MODEL_KEYS:
            named = holder.get(key) if isinstance(holder, dict) else None
            for one in named if isinstance(named, list) and key != "model" else [named]:
                model = one.get("model") if isinstance(one, dict) else one
                if isinstance(model, str) and model:
                    yield model
    if isinstance(preset, str) and preset:
        yield f"@preset/{preset.removeprefix('@preset/')}"


class OpenAiDialect:
    """The parts of a codec that do not depend on the endpoint."""

    dialect = "openai"
    vocabulary = VOCABULARY
    needs_model = True
    routes_by_model = True
    streams = True
    models_path = "/models"

    def route(self, target: Target) -> str:
        return target.path

    def upstream_path(self, target: Target) -> str:
        return target.path.removeprefix("/v1")

    def read_body(self, target: Target, raw: bytes, content_type: str) -> JsonObject:
        return read_json(raw)

    def write_body(self, document: JsonObject) -> tuple[bytes, str] | None:
        return dump(document), JSON

    def read_answer(self, raw: bytes, kind: str) -> JsonObject | None:
        return read_object(raw)

    def write_answer(self, document: JsonObject) -> tuple[bytes, str]:
        return dump(document), JSON

    def models(self, target: Target, body: JsonObject) -> tuple[str, ...]:
        return tuple(dict.fromkeys(_models_in(body)))

    def listed_models(self, document: JsonObject) -> list[tuple[str, JsonObject]]:
        listed = document.get("data")
        if not isinstance(listed, list):
            raise ValueError("no list of models")  # noqa: TRY004 - what an upstream said, not what we passed
        return [
            (entry["id"], entry) for entry in listed if isinstance(entry, dict) and isinstance(entry.get("id"), str)
        ]

    def model_list(self, entries: list[JsonObject]) -> JsonObject:
        return {"object": "list", "data": entries}

    def references(self, target: Target, body: JsonObject) -> tuple[Reference, ...]:
        return ()

    def creations(self, answer: JsonObject) -> tuple[Reference, ...]:
        return ()

    def streaming(self, target: Target, body: JsonObject) -> bool:
        return body.get("stream") is True

    def place_canary(self, body: JsonObject, sentence: str) -> None:
        """Do nothing: most endpoints have no system prompt."""

    def place_preamble(self, body: JsonObject, text: str) -> None:
        """Do nothing: most endpoints have no system prompt."""

    def with_model(self, target: Target, body: JsonObject, model: str) -> Target | None:
        return name_model(target, body, model)

    def usage(self, body: JsonObject) -> Usage:
        return usage_of(body) or Usage()

    def credential(self, headers: Headers, query: str) -> str | None:
        return bearer(headers) or headers.get(_AZURE_KEY)

    def own_credential(self, headers: Headers, query: str) -> dict[str, str]:
        return first_of({AUTHORIZATION: bearer(headers), _AZURE_KEY: headers.get(_AZURE_KEY)})

    def credential_headers(self, credential: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {credential}"}

    def forwarded(self, headers: Headers) -> dict[str, str]:
        return {}

    def refusal(self, refusal: Refusal) -> JsonObject:
        return refusal_body(refusal)

    def param(self, pointer: str) -> str:
        return param_of(pointer)

    def error(self, status: int, code: str, message: str, param: str | None = None) -> JsonObject:
        return error_body(status, code, message, param)
