"""Tokens before anybody has counted them: of a request still to be sent, and of an answer that was cut short."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from policies.amounts import UNSAID
from proxy.bodies.json_document import NumberToken
from proxy.bodies.walk import Walk

BYTES_PER_TOKEN: Final = 4  # of English; a character of Chinese has three bytes, and is nearly one token
MOST: Final = 10_000_000
# The dialects' words for the most tokens that one answer may have; and for how many answers there are.
_BOUNDS: Final = ("max_completion_tokens", "max_output_tokens", "max_tokens", "max_tokens_to_sample", "maxOutputTokens")
_COUNTS: Final = ("n", "candidateCount", "candidate_count")
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
    places = (body, body.get("generationConfig"), body.get("generation_config"))
    bound = _highest(places, _BOUNDS) or UNSAID
    return Estimate(prompt, min(MOST, bound * min(128, _highest(places, _COUNTS) or 1)))


def tokens_of(texts: Iterable[str]) -> int:
    """Return about how many tokens texts have."""
    return -(-sum(map(size_of, texts)) // BYTES_PER_TOKEN)


def size_of(text: str) -> int:
    """Return the bytes of a text in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _highest(places: Iterable[Any], names: Sequence[str]) -> int:
    """Return the highest of all, since nobody here knows which of them the provider goes by; 0 of none."""
    found = [place[name] for place in places if isinstance(place, dict) for name in names if name in place]
    return max(map(_number, found), default=0)


def _number(value: object) -> int:
    if isinstance(value, NumberToken | str):  # some providers read a number that is written as a text
        try:
            value = float(value if isinstance(value, str) else value.text)
        except ValueError:
            return 0
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return 0 if math.isnan(value) else int(min(float(MOST), max(0.0, float(value))))
