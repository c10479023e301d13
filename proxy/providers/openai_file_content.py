"""What is in a file: GET below /v1/files/{file_id} (platform.openai.com/docs/api-reference/files/retrieve-contents)."""

from __future__ import annotations

from typing import Any, Final

from detectors.types import Direction
from proxy.bodies.walk import Walk
from proxy.codec import Codec, JsonObject, Reference
from proxy.file_answer import FileAnswer
from proxy.providers._openai_objects import OpenAiObjects
from proxy.providers._openai_results import answers_in, walk_results
from proxy.providers._stored import Route


class OpenAiFileContent(OpenAiObjects):
    """Reads the lines of a batch's output as the answers that they are, any other text as one, and of bytes nothing."""

    name = "openai_file_content"
    routes = (Route("GET", "/v1/files/{file_id}/content"),)

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
        """Return nothing: who wrote the file could name in it what another tenant has made."""
        return ()

    def without_copies(self, answer: JsonObject) -> None:
        lines = answer.get("lines")
        for reader, body in answers_in(lines if isinstance(lines, list) else []):
            reader.without_copies(body)


CODEC: Final[Codec] = OpenAiFileContent()
