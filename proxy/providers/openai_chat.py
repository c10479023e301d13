"""OpenAI chat completions: POST /v1/chat/completions (platform.openai.com/docs/api-reference/chat)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from detectors.types import Direction, Origin, Unscanned
from policies.types import BlockAs
from proxy.codec import Codec, Headers, JsonObject, Refusal, StreamReader, Target, Usage
from proxy.providers._openai_shapes import VOCABULARY, error_body, param_of, refusal_body
from proxy.providers._openai_stream import ChatStream
from proxy.walk import Walk

_ROLES: Final[Mapping[str, Origin]] = {
    "user": Origin.USER,
    "system": Origin.SYSTEM,
    "developer": Origin.SYSTEM,
    "assistant": Origin.ASSISTANT,
    "tool": Origin.TOOL,
    "function": Origin.TOOL,
}
_FIELDS: Final[Mapping[str, Origin]] = {
    "tools": Origin.TOOL_DEFINITION,
    "functions": Origin.TOOL_DEFINITION,
    "response_format": Origin.TOOL_DEFINITION,
    "metadata": Origin.METADATA,
    "user": Origin.METADATA,
    "safety_identifier": Origin.METADATA,
    "prompt_cache_key": Origin.METADATA,
    "stop": Origin.METADATA,
    "tool_choice": Origin.METADATA,
    "prediction": Origin.USER,
}
_MEDIA_TYPES: Final = ("data:image/", "data:audio/", "data:video/", "data:application/")
# What an answer says of itself: identifiers, times and counts, no text.
_ANSWER_FACTS: Final = frozenset({"id", "object", "created", "model", "system_fingerprint", "usage", "service_tier"})


class OpenAiChat:
    name = "openai_chat"
    vocabulary = VOCABULARY

    def claims(self, method: str, path: str, headers: Headers) -> bool:
        return method == "POST" and path == "/v1/chat/completions"

    def upstream_path(self, target: Target) -> str:
        return target.path.removeprefix("/v1")

    def models(self, body: JsonObject) -> tuple[str, ...]:
        fallbacks = body.get("models")
        named = [body.get("model"), *(fallbacks if isinstance(fallbacks, list) else ())]
        return tuple(dict.fromkeys(model for model in named if isinstance(model, str) and model))

    def streaming(self, body: JsonObject) -> bool:
        return body.get("stream") is True

    def segments(self, body: Any, direction: Direction) -> Walk:
        walk = Walk(direction, VOCABULARY)
        if not isinstance(body, dict):
            walk.visit(body, Origin.UNKNOWN, "")
        elif direction is Direction.REQUEST:
            for key, value in body.items():
                _request_field(walk, key, value)
        else:
            for key, value in body.items():
                _answer_field(walk, key, value)
        return walk

    def newest_user_texts(self, body: JsonObject) -> Sequence[tuple[str, str]]:
        messages = body.get("messages")
        if not isinstance(messages, list):
            return ()
        texts: list[tuple[str, str]] = []
        for index in range(len(messages) - 1, -1, -1):
            message = messages[index]
            if not isinstance(message, dict) or message.get("role") != "user":
                break
            walk = Walk(Direction.REQUEST, VOCABULARY)
            walk.visit(message.get("content"), Origin.USER, f"/messages/{index}/content")
            texts += [(segment.pointer, segment.text) for segment in walk.segments]
        return texts

    def usage(self, body: JsonObject) -> Usage:
        usage = body.get("usage")
        counts = usage if isinstance(usage, dict) else {}
        return Usage(_count(counts.get("prompt_tokens")), _count(counts.get("completion_tokens")))

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
        return {key: answer[key] for key in answer if key in _ANSWER_FACTS} | {"choices": [choice]}

    def without_copies(self, answer: JsonObject) -> None:
        for choice in answer.get("choices") or ():
            if isinstance(choice, dict) and "logprobs" in choice:
                choice["logprobs"] = None

    def param(self, pointer: str) -> str:
        return param_of(pointer)

    def error(self, status: int, code: str, message: str, param: str | None = None) -> JsonObject:
        return error_body(status, code, message, param)


def _request_field(walk: Walk, key: str, value: object) -> None:
    if key == "messages" and isinstance(value, list):
        walk.skip("vocabulary")
        for index, message in enumerate(value):
            _message(walk, message, f"/messages/{index}")
    elif key in {"model", "models"} and isinstance(value, str | list):
        walk.skip("model")  # held against the allow-list, not read as text
        if isinstance(value, list):
            walk.visit([item for item in value if not isinstance(item, str)], Origin.UNKNOWN, f"/{key}")
    else:
        walk.child(key, value, _FIELDS.get(key, Origin.UNKNOWN), "")


def _message(walk: Walk, message: object, pointer: str) -> None:
    start = len(walk.segments)
    if not isinstance(message, dict):
        walk.visit(message, Origin.UNKNOWN, pointer)
        walk.message(start)
        return
    role = message.get("role")
    origin = _ROLES.get(role, Origin.UNKNOWN) if isinstance(role, str) else Origin.UNKNOWN
    for key, value in message.items():
        if key == "role" and origin is not Origin.UNKNOWN:
            walk.skip("vocabulary", 2)
        elif key == "content" and isinstance(value, list):
            walk.skip("vocabulary")
            for index, part in enumerate(value):
                _part(walk, part, origin, f"{pointer}/content/{index}")
        else:
            walk.child(key, value, Origin.METADATA if key in {"name", "tool_call_id"} else origin, pointer)
    walk.message(start)


def _part(walk: Walk, part: object, origin: Origin, pointer: str) -> None:
    if not isinstance(part, dict):
        walk.visit(part, origin, pointer)
        return
    for key, value in part.items():
        if key == "type" and value in {"text", "image_url", "input_audio", "file", "refusal"}:
            walk.skip("vocabulary", 2)
        elif key in {"image_url", "input_audio", "file"} and isinstance(value, dict):
            walk.skip("vocabulary")
            _media(walk, key, value, origin, f"{pointer}/{key}")
        else:
            walk.child(key, value, origin, pointer)


def _media(walk: Walk, kind: str, media: JsonObject, origin: Origin, pointer: str) -> None:
    """Bytes that are no text are counted as unscanned media; a data URL of text is text."""
    for key, value in media.items():
        binary = kind == "input_audio" and key == "data"
        if isinstance(value, str) and (binary or value[:40].lower().startswith(_MEDIA_TYPES)):
            walk.unscanned[Unscanned.MEDIA] += 1
        else:
            walk.child(key, value, origin, pointer)


def _answer_field(walk: Walk, key: str, value: object) -> None:
    if key in _ANSWER_FACTS:
        walk.skip("answer_facts")
    elif key == "choices" and isinstance(value, list):
        walk.skip("vocabulary")
        for index, choice in enumerate(value):
            _choice(walk, choice, f"/choices/{index}")
    else:
        walk.child(key, value, Origin.ASSISTANT, "")


def _choice(walk: Walk, choice: object, pointer: str) -> None:
    start = len(walk.segments)
    if not isinstance(choice, dict):
        walk.visit(choice, Origin.ASSISTANT, pointer)
    else:
        for key, value in choice.items():
            if key in {"finish_reason", "native_finish_reason", "index"}:
                walk.skip("answer_facts")
            elif key == "logprobs":
                walk.skip("logprobs")  # the same text token by token; dropped when the text is edited
            else:
                walk.child(key, value, Origin.ASSISTANT, pointer)
    walk.message(start)


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


CODEC: Final[Codec] = OpenAiChat()
