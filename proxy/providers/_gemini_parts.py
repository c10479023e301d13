"""Contents and parts, the same in requests and answers: who wrote each, what is media, what must not be edited."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Mapping
from typing import Final

from detectors.decoding import readable
from detectors.types import Origin, Place, Unscanned
from proxy.bodies.json_document import NumberToken
from proxy.bodies.walk import Walk
from proxy.codec import JsonObject
from proxy.providers._gemini_shapes import camel, members

_ROLES: Final[Mapping[str, Origin]] = {
    "user": Origin.USER,
    "model": Origin.ASSISTANT,
    "system": Origin.SYSTEM,
    "function": Origin.TOOL,
    "tool": Origin.TOOL,
}
# What a part holds was written by these, whatever role the content around it has.
_AUTHORS: Final[Mapping[str, Origin]] = {
    "functionCall": Origin.ASSISTANT,
    "toolCall": Origin.ASSISTANT,
    "executableCode": Origin.ASSISTANT,
    "functionResponse": Origin.TOOL,
    "toolResponse": Origin.TOOL,
    "codeExecutionResult": Origin.TOOL,
    "audioTranscription": Origin.TOOL,
}
_LABELS: Final[Mapping[str, re.Pattern[str]]] = {
    "mimeType": re.compile(r"[a-z]{1,20}/[A-Za-z0-9.+-]{1,80}"),
    "language": re.compile(r"[A-Z_]{1,40}"),
    "outcome": re.compile(r"[A-Z_]{1,40}"),
}
# Types that no model reads as text; anything else (JSON, SVG, plain text) is read here as what its bytes say.
_BINARY_TYPES: Final = ("image/", "audio/", "video/", "application/pdf", "application/vnd.")
_TEXT_AFTER_ALL: Final = ("image/svg",)
_SHORTEST_BYTES: Final = 16  # characters of base64; what is shorter is read as it stands
_PLAIN: Final = str.maketrans("-_", "+/")


def walk_content(walk: Walk, content: object, origin: Origin, pointer: str, *, fixed: bool = False) -> None:
    """Take in one content as a message of the walk. `origin` counts where it has no role, and always if `fixed`."""
    start = len(walk.segments)
    if isinstance(content, dict):
        role = content.get("role")
        known = isinstance(role, str) and role in _ROLES
        if role is not None and not fixed:
            origin = _ROLES[role] if known else Origin.UNKNOWN
        for key, value in content.items():
            if key == "role" and known:
                walk.skip("vocabulary", 2)
            elif key == "parts" and isinstance(value, list):
                walk.skip("vocabulary")
                for index, part in enumerate(value):
                    walk_part(walk, part, origin, f"{pointer}/parts/{index}")
            elif key == "parts" and isinstance(value, dict):
                walk.skip("vocabulary")
                walk_part(walk, value, origin, f"{pointer}/parts")
            else:
                walk.child(key, value, origin, pointer)
    else:
        walk.visit(content, origin, pointer)
    walk.message(start)


def walk_part(walk: Walk, part: object, origin: Origin, pointer: str) -> None:
    """Take in one part. Under a signature nothing of it may be edited: a mask there stops the exchange."""
    if not isinstance(part, dict):
        walk.visit(part, origin, pointer)
        return
    start = len(walk.segments)
    for key, value in part.items():
        name = camel(key)
        if name == "thoughtSignature" and _is_cipher(value):
            walk.skip("vocabulary")
            walk.visit(NumberToken(value), origin, f"{pointer}/{key}")  # many a credential is base64, too
        elif name == "inlineData" and isinstance(value, dict):
            walk.skip("vocabulary")
            _blob(walk, value, origin, f"{pointer}/{key}")
        elif isinstance(value, dict) and (name in _AUTHORS or name == "fileData"):
            walk.skip("vocabulary")
            _attributed(walk, value, _AUTHORS.get(name, origin), f"{pointer}/{key}")
        else:
            walk.child(key, value, origin, pointer)
    if any(value for value in members(part, "thoughtSignature")):
        _seal(walk, start)


def _seal(walk: Walk, start: int) -> None:
    """Let every text since segment `start` be nothing but what was signed: a mask on one is a stop.

    A pseudonym is what the provider wrote before its value came back, so it may return to it.
    """
    fresh = walk.segments[start:]
    fixed = {segment.pointer for segment in fresh if segment.place is Place.NUMBER}
    for segment in fresh:
        if segment.place is Place.VALUE and segment.pointer not in fixed:
            walk.seal(segment.text, segment.origin, segment.pointer)


def _fix(walk: Walk, start: int) -> None:
    """Let no text since segment `start` be edited: as a number it cannot become another text."""
    for segment in walk.segments[start:]:
        if segment.place is Place.VALUE:
            walk.visit(NumberToken(segment.text), segment.origin, segment.pointer)


def _attributed(walk: Walk, value: JsonObject, origin: Origin, pointer: str) -> None:
    for key, child in value.items():
        if key == "parts" and isinstance(child, list):  # of a function's response: media that it returned
            walk.skip("vocabulary")
            for index, part in enumerate(child):
                walk_part(walk, part, origin, f"{pointer}/parts/{index}")
        else:
            _labelled(walk, key, child, origin, pointer)


def _labelled(walk: Walk, key: str, value: object, origin: Origin, pointer: str) -> None:
    label = _LABELS.get(camel(key))
    if label is not None and isinstance(value, str) and label.fullmatch(value):
        walk.skip("vocabulary", 2)
    else:
        walk.child(key, value, origin, pointer)


def _blob(walk: Walk, blob: JsonObject, origin: Origin, pointer: str) -> None:
    """Bytes that are no text are counted as unscanned media; whatever may be text is read in base64, unedited."""
    kinds = [str(kind).lower() for kind in members(blob, "mimeType")]
    binary = bool(kinds) and all(
        kind.startswith(_BINARY_TYPES) and not kind.startswith(_TEXT_AFTER_ALL) for kind in kinds
    )
    for key, value in blob.items():
        if key != "data":
            _labelled(walk, key, value, origin, pointer)
        elif binary and isinstance(value, str) and _begins_as_no_text(value):
            walk.child(key, None, origin, pointer)
            walk.unread(Unscanned.MEDIA)
        else:
            if isinstance(value, str) and _begins_as_no_text(value):
                walk.unread(Unscanned.MEDIA)
            start = len(walk.segments)
            walk.child(key, value, origin, pointer)
            _fix(walk, start)  # an edit in the middle of base64 would leave bytes that say something else


def _begins_as_no_text(base64: str) -> bool:
    raw = _bytes(base64)
    return raw is not None and readable(raw[:48]) is None


def _is_cipher(value: object) -> bool:
    """Tell a signature from a text that stands in its place."""
    raw = _bytes(value) if isinstance(value, str) else None
    return raw is not None and readable(raw) is None


def _bytes(base64: str) -> bytes | None:
    """Decode base64 as proto JSON takes it: either alphabet, padded or not. None for what is none, or too short."""
    if len(base64) < _SHORTEST_BYTES:
        return None
    try:
        return b64decode(base64.translate(_PLAIN) + "=" * (-len(base64) % 4), validate=True)
    except ValueError:
        return None
