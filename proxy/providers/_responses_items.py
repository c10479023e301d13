"""Who wrote an item of the Responses API: a message, a call, its output, a reasoning; the same union goes both ways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from detectors.types import Direction, Origin, Unscanned
from proxy.bodies.json_document import NumberToken
from proxy.bodies.pointer import escape
from proxy.bodies.walk import Walk
from proxy.codec import JsonObject
from proxy.providers._openai_media import is_binary, is_binary_url, opaque_in
from proxy.providers._openai_request import holds_numbers
from proxy.providers._responses_copies import spells
from proxy.providers._responses_shapes import is_answer_fact, is_label

_ROLES: Final[Mapping[str, Origin]] = {
    "user": Origin.USER,
    "system": Origin.SYSTEM,
    "developer": Origin.SYSTEM,
    "assistant": Origin.ASSISTANT,
    "tool": Origin.TOOL,
}
_CALLS: Final = """
    function_call custom_tool_call reasoning mcp_call mcp_approval_request code_interpreter_call shell_call
    local_shell_call computer_call apply_patch_call web_search_call file_search_call image_generation_call
    tool_search_call program compaction
"""
_OUTPUTS: Final = """
    function_call_output custom_tool_call_output mcp_list_tools shell_call_output local_shell_call_output
    computer_call_output apply_patch_call_output tool_search_output program_output
"""
_ITEMS: Final[Mapping[str, Origin]] = {
    **dict.fromkeys(_CALLS.split(), Origin.ASSISTANT),
    **dict.fromkeys(_OUTPUTS.split(), Origin.TOOL),
    "additional_tools": Origin.TOOL_DEFINITION,
    "mcp_approval_response": Origin.USER,
}
# What the model's items repeat of others: results of the tools that run at the provider, titles of pages.
_OF_OTHERS: Final = frozenset({"output", "outputs", "error", "results", "sources", "annotations"})
# Where bytes may stand: as a data URL, as bare base64, or in an object with either.
_URLS: Final = frozenset({"image_url", "file_data", "url"})
_BYTES: Final = frozenset({"file_data", "data", "result", "partial_image_b64", "delta"})
_SHORTEST_MEDIA: Final = 64  # characters of bare base64; what is shorter shows nothing and may be a word


def walk_items(walk: Walk, value: object, pointer: str) -> None:
    """Take in a list of items; each is a message of the walk. What is no list is `unknown`."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            walk_item(walk, item, f"{pointer}/{index}")
    else:
        walk.visit(value, Origin.UNKNOWN, pointer)


def walk_item(walk: Walk, item: object, pointer: str) -> None:
    """Take in one item as a message of the walk."""
    start = len(walk.segments)
    if isinstance(item, dict):
        author = _author(item)
        for key, value in item.items():
            if key == "content" and holds_numbers(value):
                walk.unread(Unscanned.TOKEN_IDS)
            _member(walk, key, value, author, pointer)
    else:
        walk.visit(item, Origin.UNKNOWN, pointer)
    walk.message(start)


def walk_part(walk: Walk, value: object, origin: Origin, pointer: str) -> None:
    """Take in a content part, a tool, or anything else that may hold labels, media or sealed text."""
    if isinstance(value, dict):
        for key, child in value.items():
            if key == "logprobs" and walk.direction is Direction.RESPONSE and spells(child, value.get("text")):
                walk.skip("logprobs")  # the same text token by token; dropped when the text is edited
            else:
                _member(walk, key, child, origin, pointer)
    elif isinstance(value, list):
        for index, child in enumerate(value):
            walk_part(walk, child, origin, f"{pointer}/{index}")
    else:
        walk.visit(value, origin, pointer)


def _author(item: JsonObject) -> Origin:
    """Return who wrote an item; a client may claim anything but it decides only which rules look at the text."""
    kind, role = item.get("type", "message"), item.get("role")
    if kind == "message":
        return _ROLES.get(role, Origin.UNKNOWN) if isinstance(role, str) else Origin.UNKNOWN
    return _ITEMS.get(kind, Origin.UNKNOWN) if isinstance(kind, str) else Origin.UNKNOWN


def _member(walk: Walk, key: str, value: object, origin: Origin, pointer: str) -> None:
    if is_label(key, value):
        walk.skip("vocabulary", 2)
    elif walk.direction is Direction.RESPONSE and origin is Origin.ASSISTANT and is_answer_fact(key, value):
        walk.skip("answer_facts", 2)
    elif isinstance(value, str) and _is_media(key, value):
        walk.child(key, None, origin, pointer)
        walk.unread(Unscanned.MEDIA)
    elif isinstance(value, str) and key in _URLS | _BYTES and opaque_in(value, key):
        walk.unread(Unscanned.MEDIA)  # of a type that may be text: read as well
        walk.child(key, value, origin, pointer)
    elif key == "encrypted_content" and isinstance(value, str) and value:
        walk.child(key, value, origin, pointer)
        # Read once more as something that cannot become another text, as a number cannot: a mask on it stops.
        walk.visit(NumberToken(value), origin, f"{pointer}/{key}")
    elif isinstance(value, dict | list):
        walk.child(key, None, origin, pointer)
        below = Origin.TOOL if origin is Origin.ASSISTANT and key in _OF_OTHERS else origin
        walk_part(walk, value, below, f"{pointer}/{escape(key)}")
    else:
        other = origin is Origin.ASSISTANT and key in _OF_OTHERS
        walk.child(key, value, Origin.TOOL if other else origin, pointer)


def _is_media(key: str, value: str) -> bool:
    """Tell bytes that no model reads as text, in the data URL or the base64 that `key` may hold."""
    if key in _URLS and is_binary_url(value):
        return True
    return key in _BYTES and len(value) >= _SHORTEST_MEDIA and is_binary(value)
