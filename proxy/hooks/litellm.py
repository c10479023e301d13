"""LiteLLM's generic guardrail API (docs.litellm.ai/docs/adding_provider/generic_guardrail_api)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from detectors.errors import EdgeError
from detectors.types import LEAST_TRUSTED_FIRST, Direction, Origin, Place, Unscanned
from proxy.codec import Codec, Headers, JsonObject
from proxy.hook import Asked, Hook, Reply
from proxy.hooks._contract import Contract, plain_walk, walk_texts
from proxy.pointer import resolve
from proxy.providers.openai_chat import CODEC as CHAT
from proxy.walk import Walk

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
        else:  # calls of tools are the model's words, and LiteLLM takes none of them back
            document["tool_calls"] = _list(call, "tool_calls")
            walk = plain_walk(direction)
            walk.visit(document["tool_calls"], Origin.ASSISTANT, "/tool_calls")
            walk.unread(Unscanned.MEDIA, len(_list(call, "images")))
        places = _places(texts, walk)
        walk_texts(walk, ((place, text) for place, text in zip(places, texts, strict=True) if place.startswith(_OWN)))
        model = call.get("model")
        editable = (_OWN, "/messages/", "/tools/")
        return Asked(document, walk, editable, places, model if isinstance(model, str) else "")

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
