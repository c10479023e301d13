"""LiteLLM's generic guardrail API (docs.litellm.ai/docs/adding_provider/generic_guardrail_api)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from detectors.errors import EdgeError
from detectors.types import LEAST_TRUSTED_FIRST, Direction, Origin, Place, Unscanned
from proxy.bodies.json_document import same_as
from proxy.bodies.pointer import resolve
from proxy.bodies.walk import Walk
from proxy.codec import Codec, Headers, JsonObject
from proxy.hook import Asked, Hook, Reply
from proxy.hooks._contract import Contract, model_of, plain_walk, walk_texts
from proxy.providers.openai_chat import CODEC as CHAT

# What may still change at the end of a streamed text, so that LiteLLM keeps it back until its next call.
_HELD: Final = 256
_OWN: Final = "/texts/"
_DIRECTIONS: Final = {"request": Direction.REQUEST, "response": Direction.RESPONSE}


class LiteLlm(Contract):
    """`texts` are mostly the messages' own strings, so they are judged there, where it is known who wrote them."""

    name = "litellm"
    paths = ("/beta/litellm_basic_guardrail_api",)

    def credential(self, headers: Headers) -> str | None:
        return headers.get("x-api-key") or super().credential(headers)

    def read(self, path: str, call: JsonObject, codecs: Sequence[Codec]) -> Asked:
        direction = _DIRECTIONS.get(str(call.get("input_type")))
        if direction is None:
            raise EdgeError(400, "invalid_request", "'input_type' must be 'request' or 'response'.", "input_type")
        texts = _texts(call)
        document: JsonObject = {"texts": texts}
        if direction is Direction.REQUEST:
            document |= {"messages": _list(call, "structured_messages"), "tools": _list(call, "tools")}
            walk = CHAT.segments({"messages": document["messages"], "tools": document["tools"]}, direction)
        else:
            walk = plain_walk(direction)
        places = _places(texts, walk)  # of what can be given back: calls and pictures beside them cannot
        # Calls of tools are the model's words, and LiteLLM takes none of them back, but those in the messages.
        known = {same_as(made) for message in document.get("messages", ()) for made in _calls_of(message)}
        document["tool_calls"] = [made for made in _list(call, "tool_calls") if same_as(made) not in known]
        walk.visit(document["tool_calls"], Origin.ASSISTANT, "/tool_calls")
        _walk_images(walk, _list(call, "images"))
        walk_texts(walk, ((place, text) for place, text in zip(places, texts, strict=True) if place.startswith(_OWN)))
        editable = (_OWN, "/messages/", "/tools/")
        return Asked(document, walk, editable, places, model_of(call))

    def answer(self, reply: Reply) -> JsonObject:
        if reply.stops:
            return {"action": "BLOCKED", "blocked_reason": reply.reason}
        document, places = reply.document, reply.asked.places
        if not reply.edited:
            return {"action": "NONE"} | _held(reply)
        answer: JsonObject = {"action": "GUARDRAIL_INTERVENED", "texts": [resolve(document, place) for place in places]}
        elsewhere = {edit.pointer.split("/")[1] for edit in reply.verdict.effect.edits if edit.pointer not in places}
        if "messages" in elsewhere:  # arguments of calls, which are none of the texts
            answer["structured_messages"] = document["messages"]
        if "tools" in elsewhere:
            answer["tools"] = document["tools"]
        return answer | _held(reply)


def _calls_of(message: Any) -> list[Any]:
    calls = message.get("tool_calls") if isinstance(message, dict) else None
    return calls if isinstance(calls, list) else []


def _walk_images(walk: Walk, images: list[Any]) -> None:
    """Take in pictures as parts of a message: those that are texts in disguise are read, the others counted."""
    parts = [{"type": "image_url", "image_url": {"url": image}} for image in images]
    if parts and walk.direction is Direction.REQUEST:
        walk.graft(CHAT.segments({"messages": [{"role": "user", "content": parts}]}, walk.direction), "/images")
    else:
        walk.unread(Unscanned.MEDIA, len(parts))


def _texts(call: JsonObject) -> list[str]:
    texts = _list(call, "texts")
    if not all(isinstance(text, str) for text in texts):
        raise EdgeError(400, "invalid_request", "'texts' must be a list of strings.", "texts")
    return texts


def _list(call: JsonObject, key: str) -> list[Any]:
    value = call.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise EdgeError(400, "invalid_request", f"'{key}' must be a list.", key)
    return value


def _places(texts: Iterable[str], walk: Walk) -> tuple[str, ...]:
    """Return the pointer at which each text is judged: in the messages if one has it, of several the least trusted."""
    trust = {origin: rank for rank, origin in enumerate(LEAST_TRUSTED_FIRST)}
    known: dict[str, str] = {}
    for segment in sorted(walk.segments, key=lambda segment: trust[segment.origin]):
        if segment.place is Place.VALUE:
            known.setdefault(segment.text, segment.pointer)
    return tuple(known.get(text) or f"{_OWN}{index}" for index, text in enumerate(texts))


def _held(reply: Reply) -> JsonObject:
    if reply.asked.walk.direction is Direction.REQUEST:
        return {}
    return {"stream_holdback_chars": [min(len(text), _HELD) for text in reply.document["texts"]]}


HOOK: Hook = LiteLlm()
