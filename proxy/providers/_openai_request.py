"""Who wrote what in a chat completions request, and which of its values are no text."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from typing import Final

from detectors.decoding import readable
from detectors.types import Origin, Unscanned
from proxy.codec import JsonObject
from proxy.json_document import NumberToken
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
_PART_TYPES: Final = frozenset({"text", "image_url", "input_audio", "file", "refusal"})
_MEDIA: Final = frozenset({"image_url", "input_audio", "file"})
# Types that no model reads as text; anything else in a data URL (JSON, SVG, plain text) is walked like other text.
_BINARY_TYPES: Final = ("data:image/", "data:audio/", "data:video/", "data:application/pdf", "data:application/vnd.")
# Where some providers take a prompt as numbers of their tokenizer.
_PROMPTS: Final = frozenset({"prompt", "prompt_token_ids", "input", "input_ids"})


def walk_request(walk: Walk, body: JsonObject) -> None:
    """Take in a whole request; each message is a message of the walk."""
    for key, value in body.items():
        if key == "messages" and isinstance(value, list):
            walk.skip("vocabulary")
            for index, message in enumerate(value):
                _message(walk, message, f"/messages/{index}")
        elif key == "model" and isinstance(value, str):
            walk.skip("model", 2)  # held against the allow-list, not read as text
        elif key == "models" and isinstance(value, str | list):
            walk.skip("model")
            _models(walk, value)
        else:
            _field(walk, key, value)


def _models(walk: Walk, models: object) -> None:
    for index, model in enumerate(models if isinstance(models, list) else [models]):
        if isinstance(model, str):
            walk.skip("model")
        else:
            walk.visit(model, Origin.UNKNOWN, f"/models/{index}")


def _field(walk: Walk, key: str, value: object) -> None:
    if key in _PROMPTS and _holds_numbers(value):
        walk.unread(Unscanned.TOKEN_IDS)
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
            if _holds_numbers(value):
                walk.unread(Unscanned.TOKEN_IDS)
            for index, part in enumerate(value):
                _part(walk, part, origin, f"{pointer}/content/{index}")
        else:  # the author's name too: chat templates show it to the model
            walk.child(key, value, origin, pointer)
    walk.message(start)


def _part(walk: Walk, part: object, origin: Origin, pointer: str) -> None:
    if not isinstance(part, dict):
        walk.visit(part, origin, pointer)
        return
    for key, value in part.items():
        if key == "type" and isinstance(value, str) and value in _PART_TYPES:
            walk.skip("vocabulary", 2)
        elif key in _MEDIA and isinstance(value, dict):
            walk.skip("vocabulary")
            _media(walk, value, origin, f"{pointer}/{key}", audio=key == "input_audio")
        else:
            walk.child(key, value, origin, pointer)


def _media(walk: Walk, media: JsonObject, origin: Origin, pointer: str, *, audio: bool) -> None:
    """Bytes that are no text are counted as unscanned media; whatever may be text is walked as such."""
    for key, value in media.items():
        if isinstance(value, str) and (_is_binary_url(value) or (audio and key == "data" and _is_binary(value))):
            walk.child(key, None, origin, pointer)
            walk.unread(Unscanned.MEDIA)
        else:
            walk.child(key, value, origin, pointer)


def _is_binary_url(url: str) -> bool:
    head, comma, _ = url[:200].partition(",")
    kind = head.lower()
    binary = comma != "" and kind.startswith(_BINARY_TYPES) and kind.endswith(";base64")
    return binary and _is_binary(url[len(head) + 1 :])


def _is_binary(base64: str) -> bool:
    """Tell bytes that begin like no text. What is no base64 at all is text."""
    try:
        beginning = b64decode(base64[:64], validate=True)
    except ValueError:
        return False
    return readable(beginning) is None


def _holds_numbers(value: object) -> bool:
    """Tell a list that may be a prompt in token ids, at any depth of lists."""
    if not isinstance(value, list):
        return False
    return any(isinstance(item, int | float | NumberToken) or _holds_numbers(item) for item in value)
