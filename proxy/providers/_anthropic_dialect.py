"""What both endpoints of the Anthropic dialect have in common: keys, versions, models, errors, refusals."""

from __future__ import annotations

import re
from typing import Any, Final

from detectors.types import Direction, Origin
from proxy.bodies.json_document import dump, read_object
from proxy.bodies.walk import Walk
from proxy.codec import Headers, JsonObject, Reference, Refusal, StreamReader, Target, Usage
from proxy.edge import read_json
from proxy.providers._anthropic_answer import creations_of, walk_answer
from proxy.providers._anthropic_request import reachable_models, references_of, walk_request
from proxy.providers._anthropic_shapes import VOCABULARY, error_body, param_of, refusal_body, usage_of
from proxy.providers._anthropic_stream import MessageStream
from proxy.providers._credential import AUTHORIZATION, bearer, first_of
from proxy.providers._layouts import MESSAGE
from proxy.providers._rerouted import name_model
from proxy.responses import JSON

VERSION: Final = "2023-06-01"  # the API refuses requests without one; this is for clients that name none
_KEY: Final = "x-api-key"
_FLAGS: Final = re.compile(r"[A-Za-z0-9 ,._-]{1,1024}")


class AnthropicDialect:
    """The parts of a codec that do not depend on the endpoint."""

    dialect = "anthropic"
    vocabulary = VOCABULARY
    layout = MESSAGE
    needs_model = True
    routes_by_model = True
    streams = True
    models_path = "/models?limit=1000"  # the default page holds 20

    def route(self, target: Target) -> str:
        return target.path

    def upstream_path(self, target: Target) -> str:
        path = target.path.removeprefix("/v1")
        return f"{path}?beta=true" if "beta=true" in target.query.split("&") else path

    def read_body(self, target: Target, raw: bytes, content_type: str) -> JsonObject:
        return read_json(raw)

    def write_body(self, document: JsonObject) -> tuple[bytes, str] | None:
        return dump(document), JSON

    def read_answer(self, raw: bytes, kind: str) -> JsonObject | None:
        return read_object(raw)

    def write_answer(self, document: JsonObject) -> tuple[bytes, str]:
        return dump(document), JSON

    def models(self, target: Target, body: JsonObject) -> tuple[str, ...]:
        return reachable_models(body)

    def listed_models(self, document: JsonObject) -> list[tuple[str, JsonObject]]:
        listed = document.get("data")
        if not isinstance(listed, list):
            raise ValueError("no list of models")  # noqa: TRY004 - what an upstream said, not what we passed
        models = [entry for entry in listed if isinstance(entry, dict)]
        return [(entry["id"], {"type": "model", **entry}) for entry in models if isinstance(entry.get("id"), str)]

    def model_list(self, entries: list[JsonObject]) -> JsonObject:
        names = [entry["id"] for entry in entries] or [None]
        return {"data": entries, "has_more": False, "first_id": names[0], "last_id": names[-1]}

    def references(self, target: Target, body: JsonObject) -> tuple[Reference, ...]:
        return references_of(body)

    def creations(self, answer: JsonObject) -> tuple[Reference, ...]:
        return tuple(creations_of(answer))

    def segments(self, body: Any, direction: Direction) -> Walk:
        walk = Walk(direction, VOCABULARY)
        if not isinstance(body, dict):
            walk.visit(body, Origin.UNKNOWN, "")
        elif direction is Direction.REQUEST:
            walk_request(walk, body)
        else:
            walk_answer(walk, body)
        return walk

    def place_canary(self, body: JsonObject, sentence: str) -> None:
        """Do nothing: where tokens are counted, no model answers."""

    def place_preamble(self, body: JsonObject, text: str) -> None:
        """Do nothing: where tokens are counted, no model answers."""

    def with_model(self, target: Target, body: JsonObject, model: str) -> Target | None:
        return name_model(target, body, model)

    def usage(self, body: JsonObject) -> Usage:
        return usage_of(body.get("usage")) or Usage()

    def credential(self, headers: Headers, query: str) -> str | None:
        return headers.get(_KEY) or bearer(headers) or None

    def own_credential(self, headers: Headers, query: str) -> dict[str, str]:
        return first_of({_KEY: headers.get(_KEY), AUTHORIZATION: bearer(headers)})

    def credential_headers(self, credential: str) -> dict[str, str]:
        return {_KEY: credential}

    def forwarded(self, headers: Headers) -> dict[str, str]:
        told = {name: headers.get(name, "") for name in ("anthropic-version", "anthropic-beta")}
        return {"anthropic-version": VERSION} | {name: value for name, value in told.items() if _FLAGS.fullmatch(value)}

    def stream(self, target: Target) -> StreamReader:
        return MessageStream()

    def refusal(self, refusal: Refusal) -> JsonObject:
        return refusal_body(refusal)

    def without_copies(self, answer: JsonObject) -> None:
        """An answer of this dialect says nothing twice."""

    def param(self, pointer: str) -> str:
        return param_of(pointer)

    def error(self, status: int, code: str, message: str, param: str | None = None) -> JsonObject:
        return error_body(status, code, message, param)
