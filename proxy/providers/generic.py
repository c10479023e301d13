"""Any JSON: what a policy opens although nobody knows its shape. Every word of it counts as a stranger's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from detectors.errors import EdgeError
from detectors.types import Direction, Origin, Unscanned
from policies.routes import OpenRoute
from policies.types import BlockAs
from proxy.bodies.json_document import dump, read_object
from proxy.bodies.walk import Walk
from proxy.codec import Codec, Headers, JsonObject, Reference, Refusal, StreamReader, Target, Usage
from proxy.edge import read_json
from proxy.providers._generic_state import plain, references_in
from proxy.providers._layouts import NOWHERE
from proxy.providers._openai_request import holds_numbers
from proxy.providers._rerouted import name_model
from proxy.providers.openai_chat import CODEC as OPENAI
from proxy.responses import JSON

# The id that stands in the path, as a key: there it is scanned, and no mask can make it differ from what is asked for.
_IN_PATH: Final = "{id}"
_OBJECT: Final = "object"
_VERSION: Final = re.compile(r"/v1(?:alpha|beta)?(?=/)")
_PROMPTS: Final = frozenset({"prompt", "prompttokenids", "input", "inputs", "inputids", "tokens", "tokenids"})


class GenericJson:
    """One request to an opened route. It remembers what the request said, so that no answer can pass off an object
    that was named to it as one that it made. Errors, refusals and keys are those of `words`, a codec of the dialect.
    """

    name = "generic"
    vocabulary = frozenset({_IN_PATH})
    needs_model = False
    routes_by_model = True
    streams = False
    layout = NOWHERE  # nobody knows what in such an answer is meant for people

    def __init__(self, route: OpenRoute | None = None, words: Codec = OPENAI) -> None:
        self._route, self._words = route, words
        self._said: list[str] | None = None
        self.dialect = words.dialect if route is not None else ""  # nobody's, until a policy has opened a route
        self.models_path = words.models_path

    def opened(self, route: OpenRoute, words: Codec) -> Codec:
        """Return who reads one request to `route`, in the words of `words`."""
        return GenericJson(route, words)

    def claims(self, method: str, path: str) -> bool:
        return self._route is not None and self._route.opens(method, path)

    def route(self, target: Target) -> str:
        return self._route.path if self._route is not None else target.path

    def upstream_path(self, target: Target) -> str:
        return _VERSION.sub("", target.path, count=1)

    def read_body(self, target: Target, raw: bytes, content_type: str) -> JsonObject:
        if target.method == "GET" and raw:
            raise EdgeError(400, "invalid_body", "A GET has no body here.")
        body = read_json(raw) if target.method != "GET" else {}
        object_id = self._route.object_id(target.path) if self._route is not None else ""
        return {**body, _IN_PATH: {object_id: True}} if object_id else body

    def write_body(self, document: JsonObject) -> tuple[bytes, str] | None:
        """Return what the client's body became; nothing where only the path said something."""
        if self._route is None or not self._route.has_id:
            return dump(document), JSON
        sent = {key: value for key, value in document.items() if key != _IN_PATH}
        return (dump(sent), JSON) if sent else None

    def read_answer(self, raw: bytes, kind: str) -> JsonObject | None:
        return read_object(raw)

    def write_answer(self, document: JsonObject) -> tuple[bytes, str]:
        return dump(document), JSON

    def models(self, target: Target, body: JsonObject) -> tuple[str, ...]:
        named = (value for key, value in body.items() if plain(key) in {"model", "models"})
        return tuple(dict.fromkeys(text for value in named for text in _texts(value) if text))

    def references(self, target: Target, body: JsonObject) -> tuple[Reference, ...]:
        named = tuple(references_in(body))
        object_id = self._route.object_id(target.path) if self._route is not None else ""
        # By its whole path: counters of two collections give the same ids.
        return (Reference(_OBJECT, target.path), *named) if object_id else named

    def creations(self, answer: JsonObject) -> tuple[Reference, ...]:
        """Return what a POST to a collection made: the answer's `id`, if the request did not name it itself."""
        made = self._route.object_made(answer.get("id")) if self._route is not None else ""
        if not made or self._said is None:
            return ()
        id_ = made.rpartition("/")[2].lower()
        return () if any(id_ in text for text in self._said) else (Reference(_OBJECT, made, "/id"),)

    def streaming(self, target: Target, body: JsonObject) -> bool:
        return False

    def segments(self, body: Any, direction: Direction) -> Walk:
        walk = Walk(direction, self.vocabulary)
        walk.visit(body, Origin.UNKNOWN, "")
        walk.message(0)
        if direction is Direction.REQUEST:
            if _asks_in_numbers(body):
                walk.unread(Unscanned.TOKEN_IDS)
            self._said = None if walk.unscanned else [segment.text.lower() for segment in walk.segments]
        return walk

    def place_canary(self, body: JsonObject, sentence: str) -> None:
        """Do nothing: nobody knows where a system prompt would stand."""

    def place_preamble(self, body: JsonObject, text: str) -> None:
        """Do nothing: nobody knows where a system prompt would stand."""

    def with_model(self, target: Target, body: JsonObject, model: str) -> Target | None:
        return name_model(target, body, model)

    def usage(self, body: JsonObject) -> Usage:
        return self._words.usage(body)

    def stream(self, target: Target) -> StreamReader:
        return self._words.stream(target)

    def credential(self, headers: Headers, query: str) -> str | None:
        return self._words.credential(headers, query)

    def own_credential(self, headers: Headers, query: str) -> dict[str, str]:
        return self._words.own_credential(headers, query)

    def credential_headers(self, credential: str) -> dict[str, str]:
        return self._words.credential_headers(credential)

    def forwarded(self, headers: Headers) -> dict[str, str]:
        return self._words.forwarded(headers)

    def listed_models(self, document: JsonObject) -> list[tuple[str, JsonObject]]:
        return self._words.listed_models(document)

    def model_list(self, entries: list[JsonObject]) -> JsonObject:
        return self._words.model_list(entries)

    def refusal(self, refusal: Refusal) -> JsonObject:
        return self._words.refusal(refusal)

    def blocked_answer(self, refusal: Refusal, block_as: BlockAs, answer: JsonObject) -> JsonObject:
        """Return an error that says so: nobody knows this API's word for a filtered answer."""
        return self.error(400, "content_filter", self._words.refusal(refusal)["error"]["message"])

    def without_copies(self, answer: JsonObject) -> None:
        """Drop nothing: what is said twice was scanned twice, and what is cut in pieces met at its seams."""

    def param(self, pointer: str) -> str:
        return self._words.param(pointer)

    def error(self, status: int, code: str, message: str, param: str | None = None) -> JsonObject:
        return self._words.error(status, code, message, param)


def _texts(value: Any) -> Iterator[str]:
    """Yield every string of a value: whichever of them the upstream takes for a model, it is held to the policy."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for child in value.values() if isinstance(value, dict) else value:
            yield from _texts(child)


def _asks_in_numbers(value: Any) -> bool:
    """Tell a body in which a prompt may stand in numbers of a tokenizer, which nobody here can read."""
    if isinstance(value, list):
        return any(_asks_in_numbers(child) for child in value if isinstance(child, dict | list))
    if not isinstance(value, dict):
        return False
    return any(
        (plain(key) in _PROMPTS and holds_numbers(child)) or _asks_in_numbers(child) for key, child in value.items()
    )


CODEC: Final[Codec] = GenericJson()
