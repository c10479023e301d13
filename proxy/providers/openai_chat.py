"""OpenAI chat completions: POST /v1/chat/completions (platform.openai.com/docs/api-reference/chat)."""

from __future__ import annotations

from typing import Any, Final

from detectors.types import Direction, Origin
from policies.types import BlockAs
from proxy.bodies.walk import Walk
from proxy.codec import Codec, JsonObject, Reference, Refusal, StreamReader, Target
from proxy.providers._chat_state import creations_of, references_of
from proxy.providers._layouts import CHOICES
from proxy.providers._openai_answer import ANSWER_FACTS, drop_logprobs, walk_answer
from proxy.providers._openai_dialect import OpenAiDialect
from proxy.providers._openai_request import walk_request
from proxy.providers._openai_shapes import VOCABULARY, is_fact, told_of
from proxy.providers._openai_stream import ChatStream
from proxy.providers._system_prompt import append_sentence, prepend


class OpenAiChat(OpenAiDialect):
    name = "openai_chat"
    layout = CHOICES

    def claims(self, method: str, path: str) -> bool:
        return method == "POST" and path == "/v1/chat/completions"

    def segments(self, body: Any, direction: Direction) -> Walk:
        walk = Walk(direction, VOCABULARY)
        if not isinstance(body, dict):
            walk.visit(body, Origin.UNKNOWN, "")
        elif direction is Direction.REQUEST:
            walk_request(walk, body)
        else:
            walk_answer(walk, body)
        return walk

    def references(self, target: Target, body: JsonObject) -> tuple[Reference, ...]:
        return tuple(references_of(body))

    def creations(self, answer: JsonObject) -> tuple[Reference, ...]:
        return tuple(creations_of(answer))

    def place_canary(self, body: JsonObject, sentence: str) -> None:
        messages = body.get("messages")
        for message in messages if isinstance(messages, list) else ():
            if not isinstance(message, dict) or message.get("role") not in ("system", "developer"):
                continue
            if append_sentence(message, "content", sentence, {"type": "text", "text": sentence}):
                return

    def place_preamble(self, body: JsonObject, text: str) -> None:
        messages = body.get("messages")
        if isinstance(messages, list):
            first = messages[0] if messages and isinstance(messages[0], dict) else {}
            if first.get("role") not in ("system", "developer") or not prepend(first, "content", text, "text"):
                messages.insert(0, {"role": "system", "content": text})

    def stream(self, target: Target) -> StreamReader:
        return ChatStream()

    def blocked_answer(self, refusal: Refusal, block_as: BlockAs, answer: JsonObject) -> JsonObject:
        notice = told_of(refusal).sentence
        message: JsonObject = {"role": "assistant", "content": None, "refusal": None}
        if block_as is BlockAs.REFUSAL:
            message["refusal"] = notice
        reason = "stop" if block_as is BlockAs.REFUSAL else "content_filter"
        choice = {"index": 0, "message": message, "finish_reason": reason, "logprobs": None}
        facts = {key: value for key, value in answer.items() if key in ANSWER_FACTS and is_fact(value)}
        usage = answer.get("usage")
        if isinstance(usage, dict):
            facts["usage"] = {key: value for key, value in usage.items() if key in VOCABULARY and is_fact(value)}
        return facts | {"choices": [choice]}

    def without_copies(self, answer: JsonObject) -> None:
        drop_logprobs(answer)


CODEC: Final[Codec] = OpenAiChat()
