"""Anthropic messages: POST /v1/messages (docs.anthropic.com/en/api/messages)."""

from __future__ import annotations

from typing import Final

from policies.types import BlockAs
from proxy.codec import Codec, JsonObject, Refusal, Target
from proxy.providers._anthropic_answer import blocked_message
from proxy.providers._anthropic_dialect import AnthropicDialect
from proxy.providers._system_prompt import append_sentence, prepend


class AnthropicMessages(AnthropicDialect):
    name = "anthropic_messages"

    def claims(self, method: str, path: str) -> bool:
        return method == "POST" and path == "/v1/messages"

    def streaming(self, target: Target, body: JsonObject) -> bool:
        return body.get("stream") is True

    def place_canary(self, body: JsonObject, sentence: str) -> None:
        append_sentence(body, "system", sentence, {"type": "text", "text": sentence})

    def place_preamble(self, body: JsonObject, text: str) -> None:
        if not prepend(body, "system", text, "text") and not body.get("system"):
            body["system"] = text

    def blocked_answer(self, refusal: Refusal, block_as: BlockAs, answer: JsonObject) -> JsonObject:
        return blocked_message(refusal, block_as, answer)


CODEC: Final[Codec] = AnthropicMessages()
