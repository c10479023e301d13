"""Gemini's countTokens, which takes contents or a whole request (ai.google.dev/api/tokens)."""

from __future__ import annotations

from typing import Final

from proxy.codec import Codec
from proxy.providers._gemini_dialect import GeminiDialect


class GeminiCountTokens(GeminiDialect):
    name = "gemini_count_tokens"
    verbs = frozenset({"countTokens"})


CODEC: Final[Codec] = GeminiCountTokens()
