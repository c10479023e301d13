"""OpenAI's Responses API: POST /v1/responses (platform.openai.com/docs/api-reference/responses)."""

from __future__ import annotations

from typing import Final

from proxy.codec import Codec, JsonObject
from proxy.providers._responses_dialect import ResponsesDialect
from proxy.providers._system_prompt import append_sentence, prepend


class OpenAiResponses(ResponsesDialect):
    name = "openai_responses"
    path = "/v1/responses"

    def place_canary(self, body: JsonObject, sentence: str) -> None:
        """Put it into the instructions also where the system prompt is an item of the input: items may be stored, and
        read again by whoever wrote them.
        """
        if append_sentence(body, "instructions", sentence, {}) or body.get("instructions"):
            return
        items = body.get("input")
        roles = [item.get("role") for item in items if isinstance(item, dict)] if isinstance(items, list) else []
        if "system" in roles or "developer" in roles:
            body["instructions"] = sentence

    def place_preamble(self, body: JsonObject, text: str) -> None:
        if not prepend(body, "instructions", text, "text") and not body.get("instructions"):
            body["instructions"] = text


CODEC: Final[Codec] = OpenAiResponses()
