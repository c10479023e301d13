"""Who wrote what in a whole Responses body: the request, and the response object that repeats much of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from detectors.types import Direction, Origin, Unscanned
from proxy.bodies.pointer import escape
from proxy.bodies.walk import Walk
from proxy.codec import JsonObject
from proxy.providers._openai_request import holds_numbers, walk_models
from proxy.providers._responses_items import walk_items, walk_part
from proxy.providers._responses_shapes import is_answer_fact, is_label

_FIELDS: Final[Mapping[str, Origin]] = {
    "instructions": Origin.SYSTEM,
    "tools": Origin.TOOL_DEFINITION,
    "text": Origin.TOOL_DEFINITION,  # the format of the answer: a schema with descriptions
    "metadata": Origin.METADATA,
    "user": Origin.METADATA,
    "safety_identifier": Origin.METADATA,
    "prompt_cache_key": Origin.METADATA,
    "prompt_cache_options": Origin.METADATA,
    "prompt_cache_retention": Origin.METADATA,
    "tool_choice": Origin.METADATA,
    "previous_response_id": Origin.METADATA,
    "conversation": Origin.METADATA,
    "include": Origin.METADATA,
    "truncation": Origin.METADATA,
    "service_tier": Origin.METADATA,
    "reasoning": Origin.METADATA,
    "stream_options": Origin.METADATA,
}
_TOKEN_LISTS: Final = frozenset({"input", "input_ids", "prompt_token_ids"})


def walk_request(walk: Walk, body: JsonObject) -> None:
    """Take in a whole request; each item of the input is a message of the walk, and so is what stands beside it."""
    for key, value in body.items():
        if key in {"model", "models"}:
            walk_models(walk, key, value)
        else:
            if key in _TOKEN_LISTS and holds_numbers(value):
                walk.unread(Unscanned.TOKEN_IDS)
            _field(walk, key, value, "")


def walk_response(walk: Walk, body: JsonObject, pointer: str = "") -> None:
    """Take in a response object; what it repeats of the request is as much the client's as it was there."""
    for key, value in body.items():
        if is_answer_fact(key, value):
            walk.skip("answer_facts", 2)
        elif is_label(key, value):
            walk.skip("vocabulary", 2)
        elif key in {"output", "data"} and isinstance(value, list):  # what was answered, or a list of what is stored
            walk.skip("vocabulary")
            walk_items(walk, value, f"{pointer}/{key}")
        else:
            _field(walk, key, value, pointer)


def _field(walk: Walk, key: str, value: object, pointer: str) -> None:
    start = len(walk.segments)
    below = f"{pointer}/{escape(key)}"
    if key in {"input", "items", "instructions"} and isinstance(value, list):
        walk.skip("vocabulary")
        walk_items(walk, value, below)
    elif key == "prompt" and isinstance(value, dict):
        walk.skip("vocabulary")
        for name, child in value.items():
            origin = Origin.USER if name == "variables" else Origin.METADATA
            walk.child(name, None, origin, below)
            walk_part(walk, child, origin, f"{below}/{escape(name)}")
        walk.message(start)
    elif key in {"tools", "text"} and isinstance(value, dict | list):
        walk.skip("vocabulary")
        walk_part(walk, value, Origin.TOOL_DEFINITION, below)
    else:
        walk.child(key, value, _origin(walk, key, value), pointer)
        if key in {"input", "instructions"}:
            walk.message(start)


def _origin(walk: Walk, key: str, value: object) -> Origin:
    if key == "input" and isinstance(value, str):
        return Origin.USER
    return _FIELDS.get(key, Origin.ASSISTANT if walk.direction is Direction.RESPONSE else Origin.UNKNOWN)
