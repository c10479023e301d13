"""Content blocks, as requests, answers and streams share them: who wrote what in one, and what is never edited."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from detectors.types import Origin, Unscanned
from proxy.bodies.json_document import NumberToken
from proxy.bodies.pointer import escape
from proxy.bodies.walk import Walk
from proxy.codec import JsonObject
from proxy.providers._openai_media import is_binary, opaque_in

_WRITTEN_BY_TOOLS: Final = frozenset(
    {"document", "search_result", "tool_reference", "web_search_result", "web_fetch_result", "container_upload"}
)
_WRITTEN_BY_THE_MODEL: Final = frozenset(
    {"thinking", "redacted_thinking", "tool_use", "server_tool_use", "mcp_tool_use"}
)
# Values of `type` that say what a block, a source or a citation is, and nothing else.
_TYPES: Final = (
    _WRITTEN_BY_TOOLS
    | _WRITTEN_BY_THE_MODEL
    | {"text", "image", "tool_result", "web_search_tool_result", "web_fetch_tool_result", "mcp_tool_result"}
    | {"code_execution_tool_result", "bash_code_execution_tool_result", "text_editor_code_execution_tool_result"}
    | {"code_execution_result", "bash_code_execution_result", "code_execution_output", "bash_code_execution_output"}
    | {"base64", "url", "file", "content", "char_location", "page_location", "content_block_location"}
    | {"search_result_location", "web_search_result_location"}
    | {"text_delta", "input_json_delta", "thinking_delta", "signature_delta", "citations_delta", "compaction_delta"}
)
_MEDIA_TYPES: Final = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp", "application/pdf", "text/plain"})
_LABELS: Final = {"type": _TYPES, "media_type": _MEDIA_TYPES}
_NESTED: Final = frozenset({"content", "source", "citations", "citation"})
SEALED: Final = frozenset({"signature", "encrypted_content", "encrypted_index", "encrypted_stdout"})
_MARKS: Final = frozenset({"type", "ephemeral", "ttl", "5m", "1h"})
# Types that no model reads as text; whatever else is in base64 (plain text, JSON, SVG) is walked like other text.
_BINARY_TYPES: Final = ("image/", "audio/", "video/", "application/pdf", "application/vnd.")


def walk_blocks(walk: Walk, blocks: Sequence[object], origin: Origin, pointer: str) -> None:
    for index, block in enumerate(blocks):
        walk_block(walk, block, origin, f"{pointer}/{index}")


def walk_block(walk: Walk, block: object, origin: Origin, pointer: str) -> None:
    """Take in one block, or a part of one that has a type of its own (a source, a citation).

    `origin` is who wrote what surrounds it; inside of what a tool wrote, everything is the tool's.
    """
    if not isinstance(block, dict):
        walk.visit(block, origin, pointer)
        return
    kind = block.get("type")
    origin = _author(kind, origin)
    signed = kind == "redacted_thinking" or bool(block.get("signature"))
    for key, value in block.items():
        if isinstance(value, str) and value in (_LABELS.get(key) or ()):
            walk.skip("vocabulary", 2)
        elif key == "cache_control" and _is_cache_mark(value):
            walk.skip("vocabulary", 1 + 2 * len(value))
        elif isinstance(value, str) and (signed or key in SEALED):
            walk_sealed(walk, key, value, origin, pointer)
        elif key == "data" and kind == "base64" and _is_media(block):
            walk.child(key, None, origin, pointer)
            walk.unread(Unscanned.MEDIA)
        elif key == "data" and kind == "base64" and opaque_in(value, key):
            walk.unread(Unscanned.MEDIA)  # of a type that may be text: read as well
            walk.child(key, value, origin, pointer)
        elif key in _NESTED and isinstance(value, dict | list):
            walk.skip("vocabulary")
            below, author = f"{pointer}/{key}", Origin.TOOL if key.startswith("citation") else origin
            walk_blocks(walk, value, author, below) if isinstance(value, list) else walk_block(
                walk, value, author, below
            )
        else:
            walk.child(key, value, origin, pointer)


def walk_sealed(walk: Walk, key: str, text: str, origin: Origin, pointer: str) -> None:
    """Take in a text that is signed or encrypted: the provider refuses it when it was changed.

    It is read like any other, and once more as something that cannot become another text, as a number cannot: a
    mask on it stops the exchange.
    """
    walk.child(key, text, origin, pointer)
    walk_unchangeable(walk, text, origin, f"{pointer}/{escape(key)}")


def walk_unchangeable(walk: Walk, text: str, origin: Origin, pointer: str) -> None:
    if text:
        walk.visit(NumberToken(text), origin, pointer)


def _author(kind: object, origin: Origin) -> Origin:
    if origin is Origin.TOOL or not isinstance(kind, str):
        return origin
    if kind in _WRITTEN_BY_TOOLS or kind.endswith("tool_result"):
        return Origin.TOOL
    return Origin.ASSISTANT if kind in _WRITTEN_BY_THE_MODEL else origin


def _is_cache_mark(value: object) -> bool:
    """Tell a cache mark without any text in it, so that it does not stand between two parts of a text."""
    return isinstance(value, dict) and all(
        key in _MARKS and isinstance(mark, str) and mark in _MARKS for key, mark in value.items()
    )


def _is_media(source: JsonObject) -> bool:
    """Tell bytes of a type that is no text and that begin like none. What is no base64 at all is text."""
    kind, data = source.get("media_type"), source.get("data")
    if not isinstance(kind, str) or not isinstance(data, str) or not kind.lower().startswith(_BINARY_TYPES):
        return False
    return data != "" and is_binary(data)
