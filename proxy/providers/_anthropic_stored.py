"""What the endpoints for message batches have in common: ids in paths, and answers about a batch."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from detectors.types import Direction, Origin
from policies.types import BlockAs
from proxy.codec import JsonObject, Reference, Refusal, Target
from proxy.json_document import dump
from proxy.providers._anthropic_dialect import AnthropicDialect
from proxy.providers._anthropic_shapes import VOCABULARY, error_body, notice
from proxy.providers._openai_shapes import is_fact
from proxy.providers._stored import NamedDocument, Route, named_in, route_of, walk_object
from proxy.responses import JSON
from proxy.walk import Walk

_WORDS: Final = """
    id type processing_status created_at ended_at expires_at archived_at cancel_initiated_at results_url processing
    succeeded errored canceled expired
"""
_FACTS: Final = frozenset(_WORDS.split())


class AnthropicStored(AnthropicDialect):
    """An endpoint of several routes."""

    needs_model = False
    routes_by_model = False
    routes: ClassVar[tuple[Route, ...]] = ()

    def claims(self, method: str, path: str) -> bool:
        return route_of(self.routes, method, path) is not None

    def route(self, target: Target) -> str:
        found = route_of(self.routes, target.method, target.path)
        return found[0].path if found else target.path

    def read_body(self, target: Target, raw: bytes, content_type: str) -> JsonObject:
        """Return the document with the id of the path in it. A body where none belongs is left behind."""
        found = route_of(self.routes, target.method, target.path)
        if found is None or not found[0].reads:
            return NamedDocument(found[1] if found else "")
        return super().read_body(target, raw, content_type)

    def write_body(self, document: JsonObject) -> tuple[bytes, str] | None:
        body = document.body() if isinstance(document, NamedDocument) else document
        return None if body is None else (dump(body), JSON)

    def models(self, target: Target, body: JsonObject) -> tuple[str, ...]:
        return ()

    def references(self, target: Target, body: JsonObject) -> tuple[Reference, ...]:
        return named_in(self.routes, target.method, target.path)

    def streaming(self, target: Target, body: JsonObject) -> bool:
        return False

    def segments(self, body: Any, direction: Direction) -> Walk:
        walk = Walk(direction, VOCABULARY)
        if not isinstance(body, dict):
            walk.visit(body, Origin.UNKNOWN, "")
        elif direction is Direction.REQUEST:
            self.walk_request(walk, body)
        else:
            self.walk_answer(walk, body)
        return walk

    def walk_request(self, walk: Walk, body: JsonObject) -> None:
        walk.visit(body, Origin.UNKNOWN, "")

    def walk_answer(self, walk: Walk, body: JsonObject) -> None:
        walk_object(walk, body, "", _FACTS)

    def blocked_answer(self, refusal: Refusal, block_as: BlockAs, answer: JsonObject) -> JsonObject:
        """Return the facts of the answer and an error: a batch has no word for declining."""
        facts = {key: value for key, value in answer.items() if key in _FACTS and is_fact(value)}
        return facts | error_body(400, "content_filter", notice(refusal))
