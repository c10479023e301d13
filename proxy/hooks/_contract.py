"""What guard hooks have in common: where the key stands, errors in OpenAI's shape, and texts that become walks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from detectors.errors import EdgeError
from detectors.types import Direction, Origin
from proxy.bodies.walk import Walk
from proxy.codec import Headers, JsonObject
from proxy.hook import Asked
from proxy.providers._openai_shapes import VOCABULARY, error_body
from proxy.providers.openai_chat import CODEC as CHAT

_WRITERS: Final = {Direction.REQUEST: Origin.USER, Direction.RESPONSE: Origin.ASSISTANT}


class Contract:
    """A hook whose neighbour sends `Authorization: Bearer` and reads OpenAI's errors."""

    def credential(self, headers: Headers) -> str | None:
        return CHAT.credential(headers, "")

    def error(self, status: int, code: str, message: str, param: str | None = None) -> JsonObject:
        return error_body(status, code, message, param)

    def status(self, status: int) -> int:
        return status


def text_of(call: JsonObject, key: str) -> str:
    """Return the text under `key`. Raises EdgeError 400 where there is none."""
    value = call.get(key)
    if not isinstance(value, str):
        raise EdgeError(400, "invalid_request", f"'{key}' must be a string.", key)
    return value


def messages_of(call: JsonObject, key: str = "messages") -> list[JsonObject]:
    """Return the messages under `key`. Raises EdgeError 400 where they are none."""
    value = call.get(key)
    if not isinstance(value, list) or not all(isinstance(message, dict) for message in value):
        raise EdgeError(400, "invalid_request", f"'{key}' must be a list of messages.", key)
    return value


def object_of(call: JsonObject, key: str) -> JsonObject:
    """Return the object under `key`. Raises EdgeError 400 where there is none."""
    value = call.get(key)
    if not isinstance(value, dict):
        raise EdgeError(400, "invalid_request", f"'{key}' must be an object.", key)
    return value


def model_of(call: Any) -> str:
    """Return the model that a body names, empty where it names none."""
    model = call.get("model") if isinstance(call, dict) else None
    return model if isinstance(model, str) else ""


def conversation(messages: list[JsonObject], model: str = "") -> Asked:
    """Return a conversation to be judged: as a request, but for a last message of the model's, which is an answer."""
    said = messages[-1:] if messages and messages[-1].get("role") == "assistant" else []
    asked = messages[: len(messages) - len(said)]
    document: JsonObject = {"messages": asked, "choices": [{"message": message} for message in said]}
    walk = CHAT.segments({"messages": asked}, Direction.REQUEST)
    if said:
        answer = CHAT.segments({"choices": document["choices"]}, Direction.RESPONSE)
        answer.graft(walk, "")
        walk = answer
    return Asked(document, walk, model=model)


def walk_texts(walk: Walk, texts: Iterable[tuple[str, Any]], origin: Origin | None = None) -> Walk:
    """Take in texts, each with its pointer, as one message each; by whoever writes in that direction, if not said."""
    for pointer, text in texts:
        start = len(walk.segments)
        walk.visit(text, origin or _WRITERS[walk.direction], pointer)
        walk.message(start)
    return walk


def plain_walk(direction: Direction) -> Walk:
    return Walk(direction, VOCABULARY)
