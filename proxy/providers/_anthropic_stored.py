"""What the endpoints for message batches have in common: ids in paths, and answers about a batch."""

from __future__ import annotations

from typing import Any, Final

from detectors.types import Direction, Origin
from policies.types import BlockAs
from proxy.bodies.walk import Walk
from proxy.codec import JsonObject, Refusal, Target
from proxy.providers._anthropic_dialect import AnthropicDialect
from proxy.providers._anthropic_shapes import VOCABULARY, error_body, notice
from proxy.providers._openai_shapes import is_fact
from proxy.providers._stored import StoredRoutes, walk_named, walk_object, without_named

_WORDS: Final = """
    id type processing_status created_at ended_at expires_at archived_at cancel_initiated_at results_url processing
    succeeded errored canceled expired
"""
_FACTS: Final = frozenset(_WORDS.split())


class AnthropicStored(StoredRoutes, AnthropicDialect):
    """An endpoint of several routes."""

    def models(self, target: Target, body: JsonObject) -> tuple[str, ...]:
        return ()

    def segments(self, body: Any, direction: Direction) -> Walk:
        walk = Walk(direction, VOCABULARY)
        if not isinstance(body, dict):
            walk.visit(body, Origin.UNKNOWN, "")
        elif direction is Direction.REQUEST:
            self.walk_request(walk, without_named(body, self.named))
            walk_named(walk, body, self.named)
        else:
            self.walk_answer(walk, body)
        return walk

    def walk_request(self, walk: Walk, body: JsonObject) -> None:
        walk.visit(body, Origin.UNKNOWN, "")

    def walk_answer(self, walk: Walk, body: JsonObject) -> None:
        walk_object(walk, body, "", _FACTS)

    def param(self, pointer: str) -> str:
        return pointer[1:] if pointer[1:] in self.named else super().param(pointer)

    def blocked_answer(self, refusal: Refusal, block_as: BlockAs, answer: JsonObject) -> JsonObject:
        """Return the facts of the answer and an error: a batch has no word for declining."""
        facts = {key: value for key, value in answer.items() if key in _FACTS and is_fact(value)}
        return facts | error_body(400, "content_filter", notice(refusal))
