"""Who wrote what in a chat completions request or one like it, and which of its values are no text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from detectors.types import Origin, Unscanned
from proxy.bodies.json_document import NumberToken
from proxy.bodies.walk import Walk
from proxy.codec import JsonObject
from proxy.providers._openai_media import is_binary, is_binary_url, opaque_in
from proxy.providers._openai_shapes import names_a_model

_ROLES: Final[Mapping[str, Origin]] = {
    "user": Origin.USER,
    "system": Origin.SYSTEM,
    "developer": Origin.SYSTEM,
    "assistant": Origin.ASSISTANT,
    "tool": Origin.TOOL,
    "function": Origin.TOOL,
}
# A `chat_template` has no line here: whoever sends one writes the whole prompt anew, and is trusted with nothing.
FIELDS: Final[Mapping[str, Origin]] = {
    "prompt": Origin.USER,
    "tools": Origin.TOOL_DEFINITION,
    "functions": Origin.TOOL_DEFINITION,
    "response_format": Origin.TOOL_DEFINITION,
    "guided_json": Origin.TOOL_DEFINITION,
    "guided_regex": Origin.TOOL_DEFINITION,
    "guided_choice": Origin.TOOL_DEFINITION,
    "guided_grammar": Origin.TOOL_DEFINITION,
    "structured_outputs": Origin.TOOL_DEFINITION,
    "documents": Origin.TOOL,
    "metadata": Origin.METADATA,
    "user": Origin.METADATA,
    "safety_identifier": Origin.METADATA,
    "prompt_cache_key": Origin.METADATA,
    "stop": Origin.METADATA,
    "tool_choice": Origin.METADATA,
    "provider": Origin.METADATA,
    "route": Origin.METADATA,
    "transforms": Origin.METADATA,
    "prediction": Origin.USER,
}
_PART_TYPES: Final = frozenset({"text", "image_url", "input_audio", "file", "refusal"})
_MEDIA: Final = frozenset({"image_url", "input_audio", "file"})
_PICTURES: Final = frozenset(
    {"images", "image", "audio", "audios", "video", "videos"}
)  # of a message beside its content
# What the model is asked outside of messages; some providers take it as numbers of their tokenizer.
_PROMPTS: Final = frozenset({"prompt", "prompt_token_ids", "prefix_token_ids", "input", "input_ids"})
_EMBEDDED: Final = "prompt_embeds"  # vLLM's: the prompt as vectors, in base64


def walk_request(
    walk: Walk,
    body: JsonObject,
    origins: Mapping[str, Origin] = FIELDS,
    token_ids: Unscanned = Unscanned.TOKEN_IDS,
) -> None:
    """Take in a whole request; each message is a message of the walk, and so is a prompt or input beside them.

    `origins` says who wrote which field, `token_ids` what a prompt in numbers counts as.
    """
    for key, value in body.items():
        if key == "messages" and isinstance(value, list):
            walk.skip("vocabulary")
            for index, message in enumerate(value):
                _message(walk, message, f"/messages/{index}")
        elif key in {"model", "models"}:
            walk_models(walk, key, value)
        elif key in _PROMPTS:
            if holds_numbers(value):
                walk.unread(token_ids)
            _prompt(walk, key, value, origins.get(key, Origin.UNKNOWN))
        elif key == "prediction":  # what the model is to repeat, in parts that it reads as one text
            start = len(walk.segments)
            walk.child(key, value, origins.get(key, Origin.UNKNOWN), "")
            walk.message(start)
        elif key == _EMBEDDED and value:
            walk.unread(token_ids)
            walk.child(key, value, origins.get(key, Origin.UNKNOWN), "")
        else:
            walk.child(key, value, origins.get(key, Origin.UNKNOWN), "")


def walk_models(walk: Walk, key: str, value: object) -> None:
    """Skip the names of models, which are held against the allow-list; what is more than a name is read."""
    walk.skip("model")
    listed = key == "models" and isinstance(value, list)
    for index, model in enumerate(value if isinstance(value, list) and listed else [value]):
        walk_model(walk, model, f"/{key}/{index}" if listed else f"/{key}")


def walk_model(walk: Walk, model: object, pointer: str) -> None:
    """Take in what stands for a model's name. No edit could leave it one: a mask on it is a stop."""
    if names_a_model(model):
        walk.skip("model")
    else:
        walk.visit(model, Origin.METADATA if isinstance(model, str) else Origin.UNKNOWN, pointer)
        if isinstance(model, str):
            walk.visit(NumberToken(model), Origin.METADATA, pointer)


def _prompt(walk: Walk, key: str, value: object, origin: Origin) -> None:
    start = len(walk.segments)
    if isinstance(value, list):
        walk.child(key, None, origin, "")
        for index, part in enumerate(value):
            walk_part(walk, part, origin, f"/{key}/{index}")
    else:
        walk.child(key, value, origin, "")
    walk.message(start)


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
            if holds_numbers(value):
                walk.unread(Unscanned.TOKEN_IDS)
            for index, part in enumerate(value):
                walk_part(walk, part, origin, f"{pointer}/content/{index}")
        else:  # the author's name too: chat templates show it to the model
            if key in _PICTURES:
                walk.unread(Unscanned.MEDIA, opaque_in(value, key))
            walk.child(key, value, origin, pointer)
    walk.message(start)


def walk_part(walk: Walk, part: object, origin: Origin, pointer: str) -> None:
    """Take in one part of a content: an object with its type, or a bare text."""
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
            walk.unread(Unscanned.MEDIA, opaque_in(value, key))
            walk.child(key, value, origin, pointer)


def _media(walk: Walk, media: JsonObject, origin: Origin, pointer: str, *, audio: bool) -> None:
    """Bytes that are no text are counted as unscanned media; whatever may be text is walked as such."""
    for key, value in media.items():
        if isinstance(value, str) and (is_binary_url(value) or (audio and key == "data" and is_binary(value))):
            walk.child(key, None, origin, pointer)
            walk.unread(Unscanned.MEDIA)
        else:  # of a type that may be text: read, and counted where it is none
            walk.unread(Unscanned.MEDIA, opaque_in(value, key))
            walk.child(key, value, origin, pointer)


def holds_numbers(value: object) -> bool:
    """Tell a list that may be a prompt in token ids, at any depth of lists."""
    if not isinstance(value, list):
        return False
    return any(isinstance(item, int | float | NumberToken) or holds_numbers(item) for item in value)
