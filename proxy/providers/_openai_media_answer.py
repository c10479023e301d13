"""Answers of the OpenAI dialect that need not be JSON: subtitles are screened as a text, sound is for the policy."""

from __future__ import annotations

from typing import Any

from detectors.types import Direction
from proxy.bodies.json_document import read_object
from proxy.bodies.plain_text import charset_of
from proxy.bodies.walk import Walk
from proxy.codec import JsonObject
from proxy.file_answer import FileAnswer
from proxy.providers._openai_endpoint import OpenAiEndpoint
from proxy.responses import JSON
from proxy.streams.sse import begins_stream


class MediaAnswers(OpenAiEndpoint):
    """The reading of answers of an endpoint that may give any of these."""

    def read_answer(self, raw: bytes, kind: str) -> JsonObject | None:
        if kind == JSON:
            return read_object(raw)
        if begins_stream(raw) and charset_of(raw) is not None:  # sound may begin with any byte
            return None
        return FileAnswer.of_text(raw, kind)

    def write_answer(self, document: JsonObject) -> tuple[bytes, str]:
        return document.written() if isinstance(document, FileAnswer) else super().write_answer(document)

    def segments(self, body: Any, direction: Direction) -> Walk:
        return body.walk(self.vocabulary) if isinstance(body, FileAnswer) else super().segments(body, direction)
