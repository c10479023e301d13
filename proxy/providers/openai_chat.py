"""OpenAI chat completions: POST /v1/chat/completions (platform.openai.com/docs/api-reference/chat)."""

from __future__ import annotations

from typing import Any, Final

from detectors.types import Direction, Origin
from policies.types import BlockAs
from proxy.codec import Codec, Headers, JsonObject, Refusal, StreamReader, Target, Usage
from proxy.providers._openai_answer import ANSWER_FACTS, walk_answer
from proxy.providers._openai_request import walk_request
from proxy.providers._openai_shapes import VOCABULARY, error_body, is_fact, param_of, refusal_body, usage_of
from proxy.providers._openai_stream import ChatStream
from proxy.walk import Walk


class OpenAiChat:
    name = "openai_chat"
    vocabulary = VOCABULARY

    def claims(self, method: str, path: str, headers: Headers) -> bool:
        return method == "POST" and path == "/v1/chat/completions"

    def upstream_path(self, target: Target) -> str:
        return target.path.removeprefix("/v1")

    def models(self, body: JsonObject) -> tuple[str, ...]:
        fallbacks = body.get("models")
        named = [body.get("model"), *(fallbacks if isinstance(fallbacks, list) else [fallbacks])]
        return tuple(dict.fromkeys(model for model in named if isinstance(model, str) and model))

    def streaming(self, body: JsonObject) -> bool:
        return body.get("stream") is True

    def segments(self, body: Any, direction: Direction) -> Walk:
        walk = Walk(direction, VOCABULARY)
        if not isinstance(body, dict):
            walk.visit(body, Origin.UNKNOWN, "")
        elif direction is Direction.REQUEST:
            walk_request(walk, body)
        else:
            walk_answer(walk, body)
        return walk

    def usage(self, body: JsonObject) -> Usage:
        return usage_of(body) or Usage()

    def credential(self, headers: Headers) -> str | None:
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token:
            return token.strip()
        return headers.get("api-key")  # as Azure's clients send it

    def credential_headers(self, credential: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {credential}"}

    def stream(self) -> StreamReader:
        return ChatStream()

    def refusal(self, refusal: Refusal) -> JsonObject:
        return refusal_body(refusal)

    def blocked_answer(self, refusal: Refusal, block_as: BlockAs, answer: JsonObject) -> JsonObject:
        notice = refusal_body(refusal)["error"]["message"]
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
        choices = answer.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict) and "logprobs" in choice:
                choice["logprobs"] = None

    def param(self, pointer: str) -> str:
        return param_of(pointer)

    def error(self, status: int, code: str, message: str, param: str | None = None) -> JsonObject:
        return error_body(status, code, message, param)


CODEC: Final[Codec] = OpenAiChat()
