"""Requests about what OpenAI keeps for a client: the object stands in the path, and most of them have no body."""

from __future__ import annotations

from typing import Any, Final

from detectors.types import Direction
from policies.types import BlockAs
from proxy.bodies.walk import Walk
from proxy.codec import JsonObject, Refusal, StreamReader, Target
from proxy.providers._openai_query import read_query, write_query
from proxy.providers._openai_shapes import error_body, told_of
from proxy.providers._responses_dialect import ResponsesDialect
from proxy.providers._responses_items import walk_item
from proxy.providers._responses_shapes import VOCABULARY, facts_of
from proxy.providers._responses_stream import ResponsesStream
from proxy.providers._stored import AFTER, StoredRoutes, walk_named, without_named

LISTING: Final = ("limit", "order", AFTER, "include")


class StoredDialect(StoredRoutes, ResponsesDialect):
    """A codec of such requests but for its name and its routes."""

    def upstream_path(self, target: Target) -> str:
        # Streams are numbered anew here, so only the beginning of one means the same upstream: see `stream`.
        named = {name: value for name, value in self._query(target).items() if name != "starting_after"}
        return super().upstream_path(target) + write_query(named)

    def read_body(self, target: Target, raw: bytes, content_type: str) -> JsonObject:
        document = super().read_body(target, raw, content_type)
        document.update({name: value for name, value in self._query(target).items() if name == AFTER})
        return document

    def streaming(self, target: Target, body: JsonObject) -> bool:
        return self._query(target).get("stream") == "true"

    def segments(self, body: Any, direction: Direction) -> Walk:
        if direction is Direction.REQUEST and isinstance(body, dict):
            walk = super().segments(without_named(body, self.named), direction)
            walk_named(walk, body, self.named)
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
        return facts_of(answer) | error_body(400, "content_filter", told_of(refusal).sentence)

    def param(self, pointer: str) -> str:
        return pointer[1:] if pointer[1:] in self.named else super().param(pointer)

    def _query(self, target: Target) -> dict[str, Any]:
        return read_query(target.query, self.asked(target)[0].query)
