"""Which texts of a stream's event are fragments of something longer, and how one is put into a part of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

from proxy.bodies.pointer import escape, unescape
from proxy.codec import JsonObject, Piece
from proxy.providers._gemini_shapes import camel, member

# A channel is the index of its candidate and the kind of part: `0/text`, `0/thought`, `0/code`, `0/output`, or
# `0/args/<path>` for one argument of a function call that is streamed.
_PATH: Final = re.compile(r"\$[A-Za-z0-9_.\[\]'\"-]{0,128}")
_CONSTANT: Final = re.compile(r"[A-Z_]{1,40}")
_RESULTS: Final = {
    "executableCode": ("code", "code", "language"),
    "codeExecutionResult": ("output", "output", "outcome"),
}
RESULT_CHANNELS: Final = tuple(f"/{kind}" for kind, *_ in _RESULTS.values())


@dataclass(slots=True)
class Texts:
    """What was taken out of one candidate: pieces, the channels that end here, texts under a signature, and the
    constants that belong to a channel's part (a language, an outcome).
    """

    pieces: list[Piece] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)
    signed: list[Piece] = field(default_factory=list)
    constants: dict[str, str] = field(default_factory=dict)


def take_texts(candidate: JsonObject, index: int) -> Texts:
    """Take the fragments out of a candidate's parts, in place; a part in which nothing else was goes with them."""
    texts = Texts()
    content = member(candidate, "content")
    parts = content.get("parts") if isinstance(content, dict) else None
    if not isinstance(parts, list):
        return texts
    kept = []
    for part in parts:
        if not isinstance(part, dict):
            kept.append(part)
            continue
        _take_text(part, index, texts)
        for key in list(part):
            _take_other(part, key, index, texts)
        if not _is_empty(part):
            kept.append(part)
    # Apps that print what they are told expect a text in every event.
    parts[:] = kept or ([{"text": ""}] if parts else [])
    return texts


def part_of(channel: str, text: str, constant: str) -> JsonObject:
    """Return the part that carries `text` on a channel below its candidate: `text`, `code`, `args/$.to`."""
    kind, _, path = channel.partition("/")
    match kind:
        case "thought":
            return {"text": text, "thought": True}
        case "code":
            return {"executableCode": {"language": constant or "LANGUAGE_UNSPECIFIED", "code": text}}
        case "output":
            return {"codeExecutionResult": {"outcome": constant or "OUTCOME_UNSPECIFIED", "output": text}}
        case "args":
            argument = {"jsonPath": unescape(path), "stringValue": text, "willContinue": True}
            return {"functionCall": {"partialArgs": [argument], "willContinue": True}}
        case _:
            return {"text": text}


def _take_text(part: JsonObject, index: int, texts: Texts) -> None:
    text = part.get("text")
    if not isinstance(text, str) or not text:
        return
    piece = Piece(f"{index}/{'thought' if part.get('thought') is True else 'text'}", text)
    part["text"] = ""
    texts.pieces.append(piece)
    if member(part, "thoughtSignature"):
        # It goes out before its signature does, so that the one is there when the other comes.
        texts.signed.append(piece)
        texts.ends.append(piece.channel)


def _take_other(part: JsonObject, key: str, index: int, texts: Texts) -> None:
    name, value = camel(key), part[key]
    if name in {"text", "thought", "thoughtSignature"}:
        return
    # The order of parts is part of what is said: what came before this one goes out before it.
    texts.ends += [f"{index}/text", f"{index}/thought"]
    if name in _RESULTS and isinstance(value, dict):
        kind, field_name, label = _RESULTS[name]
        _take_whole(value, field_name, f"{index}/{kind}", texts)
        constant = value.get(label)
        if isinstance(constant, str) and _CONSTANT.fullmatch(constant):
            texts.constants[f"{index}/{kind}"] = constant
    elif name == "functionCall":
        arguments = member(value, "partialArgs")
        for argument in arguments if isinstance(arguments, list) else ():
            _take_argument(argument, index, texts)


def _take_argument(argument: Any, index: int, texts: Texts) -> None:
    path = member(argument, "jsonPath")
    if not isinstance(path, str) or not _PATH.fullmatch(path):
        return
    key = next((key for key in argument if camel(key) == "stringValue"), "")
    goes_on = member(argument, "willContinue") is True
    _take_whole(argument, key, f"{index}/args/{escape(path)}", texts, goes_on=goes_on)


def _take_whole(value: JsonObject, key: str, channel: str, texts: Texts, *, goes_on: bool = False) -> None:
    text = value.get(key)
    if isinstance(text, str) and text:
        value[key] = ""
        texts.pieces.append(Piece(channel, text, whole=True))
    if not goes_on:
        texts.ends.append(channel)


def _is_empty(part: JsonObject) -> bool:
    """Tell a part of which nothing is left that an app would miss."""
    if part.keys() <= {"text", "thought"}:
        return part.get("text") == "" and isinstance(part.get("thought"), bool | None)
    key, inner = next(iter(part.items()))
    if len(part) > 1 or camel(key) not in _RESULTS or not isinstance(inner, dict):
        return False
    _, field_name, label = _RESULTS[camel(key)]
    constant = inner.get(label, "")
    plain = isinstance(constant, str) and (not constant or _CONSTANT.fullmatch(constant) is not None)
    return plain and inner.keys() <= {field_name, label} and inner.get(field_name) == ""
