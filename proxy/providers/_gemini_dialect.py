"""What all endpoints of Gemini's dialect have in common: paths, models, keys, errors, refusals, streams."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, ClassVar, Final
from urllib.parse import unquote

from detectors.types import Direction, Origin
from policies.types import BlockAs
from proxy.bodies.json_document import dump, read_object
from proxy.bodies.walk import Walk
from proxy.codec import Headers, JsonObject, Reference, Refusal, StreamReader, Target, Usage
from proxy.edge import read_json
from proxy.providers._credential import AUTHORIZATION, bearer, first_of
from proxy.providers._gemini_answer import ENVELOPE, walk_answer, without_copies
from proxy.providers._gemini_request import named_models, references_in, walk_request
from proxy.providers._gemini_shapes import VOCABULARY, camel, error_body, param_of, refusal_body, usage_of
from proxy.providers._gemini_stream import GeminiStream, blocked_candidate
from proxy.providers._gemini_wire import ArrayWire, SseWire
from proxy.providers._layouts import CANDIDATES
from proxy.providers._openai_shapes import is_fact, told_of
from proxy.responses import JSON

STREAM: Final = "streamGenerateContent"
_PATH: Final = re.compile(r"/v1(?:alpha|beta)?/models/([A-Za-z0-9._@~-]+):([A-Za-z]+)")
_MODEL: Final = re.compile(r"[A-Za-z0-9._@~-]+")
_VERSION: Final = re.compile(r"/v1(?:alpha|beta)?(?=/)")
_KEY: Final = "x-goog-api-key"
_FORWARDED: Final = "x-goog-api-client"


class GeminiDialect:
    """The parts of a codec that do not depend on the endpoint. `verbs` is what may stand behind the model's colon."""

    dialect = "gemini"
    vocabulary = VOCABULARY
    layout = CANDIDATES
    needs_model = True
    routes_by_model = True
    streams = True
    models_path = "/models?pageSize=1000"
    verbs: ClassVar[frozenset[str]]

    def claims(self, method: str, path: str) -> bool:
        match = _PATH.fullmatch(path)
        return method == "POST" and match is not None and match.group(2) in self.verbs

    def route(self, target: Target) -> str:
        return target.path

    def upstream_path(self, target: Target) -> str:
        below = _VERSION.sub("", target.path, count=1)
        return f"{below}?alt=sse" if self.streaming(target, {}) and _wants_events(target) else below

    def read_body(self, target: Target, raw: bytes, content_type: str) -> JsonObject:
        return read_json(raw)

    def write_body(self, document: JsonObject) -> tuple[bytes, str] | None:
        return dump(document), JSON

    def read_answer(self, raw: bytes, kind: str) -> JsonObject | None:
        return read_object(raw)

    def write_answer(self, document: JsonObject) -> tuple[bytes, str]:
        return dump(document), JSON

    def models(self, target: Target, body: JsonObject) -> tuple[str, ...]:
        match = _PATH.fullmatch(target.path)
        return tuple(dict.fromkeys([*([match.group(1)] if match else []), *named_models(body)]))

    def listed_models(self, document: JsonObject) -> list[tuple[str, JsonObject]]:
        listed = document.get("models")
        if not isinstance(listed, list):
            raise ValueError("no list of models")  # noqa: TRY004 - what an upstream said, not what we passed
        entries = [entry for entry in listed if isinstance(entry, dict) and isinstance(entry.get("name"), str)]
        return [(entry["name"].removeprefix("models/"), entry) for entry in entries]

    def model_list(self, entries: list[JsonObject]) -> JsonObject:
        return {"models": entries}

    def references(self, target: Target, body: JsonObject) -> tuple[Reference, ...]:
        return tuple(references_in(body))

    def creations(self, answer: JsonObject) -> tuple[Reference, ...]:
        return ()

    def streaming(self, target: Target, body: JsonObject) -> bool:
        return target.path.endswith(f":{STREAM}")

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
        """Do nothing: where tokens are counted or texts embedded, no model answers."""

    def place_preamble(self, body: JsonObject, text: str) -> None:
        """Do nothing: where tokens are counted or texts embedded, no model answers."""

    def with_model(self, target: Target, body: JsonObject, model: str) -> Target | None:
        """Return the path with another model; a body that names one of its own says the same twice."""
        match = _PATH.fullmatch(target.path)
        if match is None or any(True for _ in named_models(body)) or not _MODEL.fullmatch(model):
            return None
        return replace(target, path=target.path.replace(f"/{match.group(1)}:", f"/{model}:", 1))

    def usage(self, body: JsonObject) -> Usage:
        return usage_of(body) or Usage()

    def credential(self, headers: Headers, query: str) -> str | None:
        return _api_key(headers, query) or bearer(headers) or None

    def own_credential(self, headers: Headers, query: str) -> dict[str, str]:
        """Return also a key of the query as a header: URLs are logged on the way."""
        return first_of({_KEY: _api_key(headers, query), AUTHORIZATION: bearer(headers)})

    def credential_headers(self, credential: str) -> dict[str, str]:
        return {_KEY: credential}

    def forwarded(self, headers: Headers) -> dict[str, str]:
        return {_FORWARDED: headers[_FORWARDED]} if _FORWARDED in headers else {}

    def stream(self, target: Target) -> StreamReader:
        array = self.streaming(target, {}) and not _wants_events(target)
        return GeminiStream(ArrayWire() if array else SseWire())

    def refusal(self, refusal: Refusal) -> JsonObject:
        return refusal_body(refusal)

    def blocked_answer(self, refusal: Refusal, block_as: BlockAs, answer: JsonObject) -> JsonObject:
        notice = told_of(refusal).sentence
        parts = [{"text": notice}] if block_as is BlockAs.REFUSAL else []
        facts = {key: value for key, value in answer.items() if camel(key) in ENVELOPE and is_fact(value)}
        for key, usage in answer.items():
            if camel(key) == "usageMetadata" and isinstance(usage, dict):
                facts[key] = {name: value for name, value in usage.items() if name in VOCABULARY and is_fact(value)}
        return {"candidates": [blocked_candidate(0, parts)], **facts}

    def without_copies(self, answer: JsonObject) -> None:
        without_copies(answer)

    def param(self, pointer: str) -> str:
        return param_of(pointer)

    def error(self, status: int, code: str, message: str, param: str | None = None) -> JsonObject:
        return error_body(status, code, message, param)


def _api_key(headers: Headers, query: str) -> str | None:
    in_query = (unquote(item[4:]) for item in query.split("&") if item.startswith("key="))
    key = headers.get(_KEY) or next(in_query, None)
    return key if key is None or key.isprintable() else None  # a line end is no key, and no header's value


def _wants_events(target: Target) -> bool:
    """Tell a stream of events from one JSON array; no other spelling of this goes upstream."""
    return not {"alt=sse", "$alt=sse"}.isdisjoint(target.query.split("&"))
