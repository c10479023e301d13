"""Counting an Anthropic prompt: POST /v1/messages/count_tokens (docs.anthropic.com/en/api/messages-count-tokens).

The body is a messages request, and all of it goes to the provider, so it is judged like one.
"""

from __future__ import annotations

from typing import Final

from policies.types import BlockAs
from proxy.codec import Codec, JsonObject, Refusal, Target
from proxy.providers._anthropic_dialect import AnthropicDialect


class AnthropicCountTokens(AnthropicDialect):
    name = "anthropic_count_tokens"

    def claims(self, method: str, path: str) -> bool:
        return method == "POST" and path == "/v1/messages/count_tokens"

    def streaming(self, target: Target, body: JsonObject) -> bool:
        return False

    def blocked_answer(self, refusal: Refusal, block_as: BlockAs, answer: JsonObject) -> JsonObject:
        """A count has no way to decline: the number alone is left of it."""
        count = answer.get("input_tokens")
        return {"input_tokens": count if type(count) is int else 0}


CODEC: Final[Codec] = AnthropicCountTokens()
