"""Gemini's embedContent and batchEmbedContents (ai.google.dev/api/embeddings)."""

from __future__ import annotations

from typing import Final

from proxy.codec import Codec
from proxy.providers._gemini_dialect import GeminiDialect


class GeminiEmbed(GeminiDialect):
    name = "gemini_embed"
    verbs = frozenset({"embedContent", "batchEmbedContents"})


CODEC: Final[Codec] = GeminiEmbed()
