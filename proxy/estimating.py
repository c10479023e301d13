"""Tokens before anybody has counted them: of a request still to be sent, and of an answer that was cut short."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from proxy.json_document import NumberToken
from proxy.walk import Walk

BYTES_PER_TOKEN: Final = 4  # of English; a character of Chinese has three bytes, and is nearly one token
UNSAID: Final = 1024  # tokens that an answer is taken to have where the request sets no bound
MOST: Final = 10_000_000
# The dialects' words for the most tokens that one answer may have; and for how many answers there are.
_BOUNDS: Final = ("max_completion_tokens", "max_output_tokens", "max_tokens", "max_tokens_to_sample", "maxOutputTokens")
_COUNTS: Final = ("n", "candidateCount")
_ANSWERING: Final = frozenset(
    {
        "openai_chat", "openai_azure_chat", "openai_responses", "openai_completions", "openai_response_compact",
        "anthropic_messages", "gemini_generate", "generic",
    }
)  # fmt: skip
# Whose answers are no text. What is only stored, listed, counted or put into a batch is read by no model now.
_READING: Final = frozenset(
    {
        "openai_embeddings", "openai_moderations", "openai_images", "openai_image_edits", "openai_speech",
        "gemini_embed",
    }
)  # fmt: skip


class Estimate(NamedTuple):
    prompt: int
    completion: int

    @property
    def total(self) -> int:
        return self.prompt + self.completion


NOTHING: Final = Estimate(0, 0)


def estimate(codec: str, body: Any, walk: Walk) -> Estimate:
    """Return about how many tokens the request of the codec called `codec` has, and at most how many its answer may."""
    if codec not in _ANSWERING and codec not in _READING:
        return NOTHING
    prompt = tokens_of(segment.text for segment in walk.segments)
    if codec in _READING or not isinstance(body, dict):
        return Estimate(prompt, 0)
    places = (body, body.get("generationConfig"))
    bound = _first(places, _BOUNDS) or UNSAID
    return Estimate(prompt, min(MOST, bound * min(128, _first(places, _COUNTS) or 1)))


def tokens_of(texts: Iterable[str]) -> int:
    """Return about how many tokens texts have."""
    return -(-sum(map(size_of, texts)) // BYTES_PER_TOKEN)


def size_of(text: str) -> int:
    """Return the bytes of a text in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _first(places: Iterable[Any], names: Iterable[str]) -> int:
    for place in places:
        if isinstance(place, dict):
            for name in names:
                value = place.get(name)
                if value is not None and (number := _number(value)) > 0:
                    return number
    return 0


def _number(value: object) -> int:
    if isinstance(value, NumberToken):
        try:
            value = float(value.text)
        except ValueError:
            return 0
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return int(min(float(MOST), max(0.0, float(value))))
