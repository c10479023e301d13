"""Gemini's generateContent and streamGenerateContent (ai.google.dev/api/generate-content)."""

from __future__ import annotations

from typing import Final

from proxy.codec import Codec
from proxy.providers._gemini_dialect import STREAM, GeminiDialect


class GeminiGenerate(GeminiDialect):
    name = "gemini_generate"
    verbs = frozenset({"generateContent", STREAM})


CODEC: Final[Codec] = GeminiGenerate()
