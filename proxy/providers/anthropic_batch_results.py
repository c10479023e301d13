"""What came of a batch: GET /v1/messages/batches/{batch_id}/results, JSON lines
(docs.anthropic.com/en/api/retrieving-message-batch-results).
"""

from __future__ import annotations

from typing import Any, Final

from detectors.types import Direction
from proxy.bodies.walk import Walk
from proxy.codec import Codec, JsonObject, Reference
from proxy.file_answer import FileAnswer
from proxy.providers._anthropic_batch import created_in, walk_results
from proxy.providers._anthropic_stored import AnthropicStored
from proxy.providers._stored import Route


class AnthropicBatchResults(AnthropicStored):
    name = "anthropic_batch_results"
    routes = (Route("GET", "/v1/messages/batches/{batch_id}/results"),)

    def read_answer(self, raw: bytes, kind: str) -> JsonObject | None:
        return FileAnswer.of_lines(raw, kind)

    def write_answer(self, document: JsonObject) -> tuple[bytes, str]:
        return document.written() if isinstance(document, FileAnswer) else super().write_answer(document)

    def segments(self, body: Any, direction: Direction) -> Walk:
        whole = isinstance(body, FileAnswer) and "lines" not in body
        return body.walk(self.vocabulary) if whole else super().segments(body, direction)

    def walk_answer(self, walk: Walk, body: JsonObject) -> None:
        rest = dict(body)
        if isinstance(body.get("lines"), list):
            walk.skip("vocabulary")
            walk_results(walk, rest.pop("lines"), "/lines")
        super().walk_answer(walk, rest)

    def creations(self, answer: JsonObject) -> tuple[Reference, ...]:
        return tuple(created_in(answer.get("lines")))


CODEC: Final[Codec] = AnthropicBatchResults()
