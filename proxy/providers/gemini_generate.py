"""Gemini's generateContent and streamGenerateContent (ai.google.dev/api/generate-content)."""

from __future__ import annotations

from typing import Final

from proxy.codec import Codec, JsonObject
from proxy.providers._gemini_dialect import STREAM, GeminiDialect
from proxy.providers._gemini_shapes import camel
from proxy.providers._system_prompt import append_sentence, prepend


class GeminiGenerate(GeminiDialect):
    name = "gemini_generate"
    verbs = frozenset({"generateContent", STREAM})

    def place_canary(self, body: JsonObject, sentence: str) -> None:
        """Put it into either spelling of the key: nobody says which of two an upstream reads."""
        for key, content in body.items():
            if camel(key) == "systemInstruction" and isinstance(content, dict):
                append_sentence(content, "parts", sentence, {"text": sentence})

    def place_preamble(self, body: JsonObject, text: str) -> None:
        held = [content for key, content in body.items() if camel(key) == "systemInstruction"]
        contents = [content for content in held if isinstance(content, dict)]
        placed = [prepend(content, "parts", text, "") for content in contents]  # in either spelling of the key
        if not any(placed) and not any(held):
            body["systemInstruction"] = {"parts": [{"text": text}]}


CODEC: Final[Codec] = GeminiGenerate()
