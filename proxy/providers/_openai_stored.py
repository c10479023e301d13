"""Requests about what OpenAI keeps for a client: the object stands in the path, and most of them have no body."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from detectors.errors import EdgeError
from detectors.frozen import statically_frozen
from detectors.types import Direction, Origin
from policies.types import BlockAs
from proxy.codec import JsonObject, Reference, Refusal, StreamReader, Target
from proxy.json_document import NumberToken
from proxy.providers._openai_query import ITEM_ID, read_query, write_query
from proxy.providers._openai_shapes import error_body, refusal_body
from proxy.providers._responses_dialect import ResponsesDialect
from proxy.providers._responses_items import walk_item
from proxy.providers._responses_shapes import VOCABULARY, facts_of
from proxy.providers._responses_stream import ResponsesStream
from proxy.walk import Walk

LISTING: Final = ("limit", "order", "after", "include")
# The ids that a path may hold. An item is looked up inside its conversation, so it is no reference of its own.
_IDS: Final = {
    "response_id": r"resp_[A-Za-z0-9_-]{1,250}",
    "conversation_id": r"conv_[A-Za-z0-9_-]{1,250}",
    "item_id": ITEM_ID,
}
_KINDS: Final = {"response_id": "response", "conversation_id": "conversation"}


@statically_frozen
@dataclass(frozen=True, slots=True)
class Route:
    """One request line: `path` is a template, `/v1/responses/{response_id}`; `query` names what may follow it."""

    method: str
    path: str
    query: tuple[str, ...] = ()

    def ids(self, method: str, path: str) -> dict[str, str] | None:
        """Return the ids in a path by name, None if the request is another one."""
        match = _pattern(self.path).fullmatch(path) if method == self.method else None
        return None if match is None else match.groupdict()


@cache
def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", lambda name: f"(?P<{name[1]}>{_IDS[name[1]]})", template))


class StoredDialect(ResponsesDialect):
    """A codec of such requests but for its name and its routes. `named` are the ids that its documents hold.

    They stand there so that they are scanned like everything that travels, and are read as what cannot become another
    text: they are sent as the target says them, so a mask on one stops the request.
    """

    needs_model = False
    routes: tuple[Route, ...] = ()
    named: tuple[str, ...] = (*_IDS, "after")

    def claims(self, method: str, path: str) -> bool:
        return any(route.ids(method, path) is not None for route in self.routes)

    def route(self, target: Target) -> str:
        return self._asked(target)[0].path

    def upstream_path(self, target: Target) -> str:
        # Streams are numbered anew here, so only the beginning of one means the same upstream: see `stream`.
        named = {name: value for name, value in self._query(target).items() if name != "starting_after"}
        return super().upstream_path(target) + write_query(named)

    def read_body(self, target: Target, raw: bytes, content_type: str) -> JsonObject:
        after = {name: value for name, value in self._query(target).items() if name == "after"}
        if raw:
            raise EdgeError(400, "invalid_body", "A request to this path has no body.")
        return {**self._asked(target)[1], **after}

    def write_body(self, document: JsonObject) -> tuple[bytes, str] | None:
        return None

    def references(self, target: Target, body: JsonObject) -> tuple[Reference, ...]:
        ids = self._asked(target)[1]
        return tuple(Reference(_KINDS[name], ids[name], f"/{name}") for name in ids if name in _KINDS)

    def streaming(self, target: Target, body: JsonObject) -> bool:
        return self._query(target).get("stream") == "true"

    def segments(self, body: Any, direction: Direction) -> Walk:
        if direction is Direction.REQUEST and isinstance(body, dict):
            walk = super().segments({key: value for key, value in body.items() if key not in self.named}, direction)
            for name in self.named:
                if name in body:
                    _walk_id(walk, name, body[name])
            return walk
        if isinstance(body, dict) and "object" not in body and isinstance(body.get("type"), str):
            walk = Walk(direction, VOCABULARY)  # an item by itself
            walk_item(walk, body, "")
            return walk
        return super().segments(body, direction)

    def stream(self, target: Target) -> StreamReader:
        """Return a reader that sends nothing up to the number that the client has seen, counted as it was counted."""
        return ResponsesStream(after=int(self._query(target).get("starting_after", -1)))

    def blocked_answer(self, refusal: Refusal, block_as: BlockAs, answer: JsonObject) -> JsonObject:
        """Return the response that says so; the other objects have no word for it, so an error stands beside facts."""
        if answer.get("object") == "response":
            return super().blocked_answer(refusal, block_as, answer)
        return facts_of(answer) | error_body(400, "content_filter", refusal_body(refusal)["error"]["message"])

    def param(self, pointer: str) -> str:
        return pointer[1:] if pointer[1:] in self.named else super().param(pointer)

    def _asked(self, target: Target) -> tuple[Route, dict[str, str]]:
        """Return the route of a request that this codec claims, and the ids in it."""
        found = ((route, route.ids(target.method, target.path)) for route in self.routes)
        return next((route, ids) for route, ids in found if ids is not None)

    def _query(self, target: Target) -> dict[str, Any]:
        return read_query(target.query, self._asked(target)[0].query)


def _walk_id(walk: Walk, name: str, value: object) -> None:
    """Take in an id; its name is not read, because only `read_body` puts it there."""
    walk.skip("vocabulary")
    walk.visit(value, Origin.METADATA, f"/{name}")
    if isinstance(value, str) and value:
        walk.visit(NumberToken(value), Origin.METADATA, f"/{name}")
