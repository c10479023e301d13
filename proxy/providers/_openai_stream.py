"""Chat completion chunks: which text of a delta belongs to which channel, and how to write one again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from detectors.types import Direction, Origin
from policies.types import BlockAs
from proxy.codec import Frame, JsonObject, Piece, Refusal, Usage
from proxy.json_document import JsonError, dump, parse
from proxy.providers._openai_shapes import VOCABULARY, error_body, refusal_body
from proxy.walk import Walk

DONE: Final = b"data: [DONE]\n\n"
_WHOLE: Final = ("arguments", "input")  # of tool calls: held per call and released whole
_LABELS: Final = frozenset({"role", "type", "id", "name", "format"})  # short facts of a delta, not running text
_ENVELOPE: Final = frozenset({"id", "object", "created", "model", "system_fingerprint", "service_tier", "provider"})


class ChatStream:
    """Remembers the envelope of the last chunk, so that text held back can be sent in a chunk of its own."""

    def __init__(self) -> None:
        self._envelope: JsonObject = {"id": "", "object": "chat.completion.chunk", "created": 0, "model": ""}

    def read(self, event: str, data: str) -> Frame:
        if data.startswith("[DONE]"):
            return Frame({}, (), Walk(Direction.RESPONSE, VOCABULARY), ends=("",), last=True)
        document = parse(data.encode())
        if not isinstance(document, dict):
            raise JsonError("a stream event must be an object")
        self._envelope |= {key: value for key, value in document.items() if key in _ENVELOPE}
        pieces: list[Piece] = []
        ends: list[str] = []
        for choice in _choices(document):
            index = str(choice.get("index", 0))
            choice.pop("logprobs", None)  # text held back must not arrive by another door
            if isinstance(choice.get("delta"), dict):
                pieces += _take_texts(choice["delta"], index)
            if choice.get("finish_reason"):
                ends.append(f"{index}/")
        return Frame(
            document,
            tuple(pieces),
            _rest(document),
            ends=tuple(ends),
            bare=_is_bare(document),
            failed=bool(document.get("error")),
            usage=_usage(document),
        )

    def text_event(self, channel: str, text: str) -> bytes:
        index, *path = channel.split("/")
        delta: Any = text
        for step in reversed(path):
            item = {"index": int(step), **delta} if step.isdigit() and isinstance(delta, dict) else delta
            delta = [item] if step.isdigit() else {step: delta}
        choice = {"index": int(index), "delta": delta, "finish_reason": None}
        return _event({**self._envelope, "choices": [choice]})

    def write(self, frame: Frame) -> bytes:
        return DONE if frame.last else _event(frame.document)

    def cut(self, refusal: Refusal, block_as: BlockAs) -> bytes:
        body = refusal_body(refusal)
        if block_as is BlockAs.ERROR:
            return _event(body)
        delta = {"refusal": body["error"]["message"]} if block_as is BlockAs.REFUSAL else {}
        reason = "stop" if block_as is BlockAs.REFUSAL else "content_filter"
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        return _event({**self._envelope, "choices": [choice]}) + DONE

    def failure(self, status: int, code: str, message: str) -> bytes:
        return _event(error_body(status, code, message))


def _event(document: JsonObject) -> bytes:
    return b"data: " + dump(document) + b"\n\n"


def _choices(document: JsonObject) -> Iterator[JsonObject]:
    choices = document.get("choices")
    return (choice for choice in (choices if isinstance(choices, list) else ()) if isinstance(choice, dict))


def _take_texts(value: Any, path: str) -> Iterator[Piece]:
    """Take every running text out of a delta, leaving empty strings; list items count by their own `index`."""
    members = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
    for key, child in members:
        if isinstance(child, dict | list):
            step = child.get("index", key) if isinstance(value, list) and isinstance(child, dict) else key
            yield from _take_texts(child, f"{path}/{step}")
        elif isinstance(child, str) and child and key not in _LABELS:
            value[key] = ""
            yield Piece(f"{path}/{key}", child, whole=key in _WHOLE)


def _rest(document: JsonObject) -> Walk:
    walk = Walk(Direction.RESPONSE, VOCABULARY)
    for key, value in document.items():
        if key in _ENVELOPE or key == "usage":
            walk.skip("answer_facts")
        else:
            walk.child(key, value, Origin.ASSISTANT, "")
    return walk


def _is_bare(document: JsonObject) -> bool:
    """Tell whether nothing but the envelope and emptied texts is left."""
    if not document.keys() <= _ENVELOPE | {"choices", "obfuscation"} or not document.get("choices"):
        return False
    return all(
        choice.keys() <= {"index", "delta", "finish_reason", "native_finish_reason"}
        and not choice.get("finish_reason")
        and _is_empty(choice.get("delta"))
        for choice in _choices(document)
    )


def _is_empty(value: object, key: str = "") -> bool:
    match value:
        case dict():
            return all(_is_empty(child, name) for name, child in value.items())
        case list():
            return all(_is_empty(child) for child in value)
        case int():
            return key == "index"
        case _:
            return not value


def _usage(document: JsonObject) -> Usage | None:
    usage = document.get("usage")
    if not isinstance(usage, dict):
        return None
    prompt, completion = usage.get("prompt_tokens"), usage.get("completion_tokens")
    return Usage(
        prompt if isinstance(prompt, int) else None,
        completion if isinstance(completion, int) else None,
    )
