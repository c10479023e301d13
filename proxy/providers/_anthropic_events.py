"""One event of a messages stream: which running texts it brings, what is left without them, and its bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from proxy.bodies.json_document import dump
from proxy.bodies.pointer import escape
from proxy.codec import JsonObject, Piece
from proxy.providers._anthropic_blocks import SEALED
from proxy.providers._openai_shapes import is_fact

DELTA: Final = "content_block_delta"
_WHOLE: Final = "partial_json"  # a tool's input: held per block and released whole
_SUMMARY: Final = "compaction_delta"


def event_bytes(document: JsonObject, name: str = "") -> bytes:
    kind = name or document.get("type")
    line = b"event: " + kind.encode() + b"\n" if isinstance(kind, str) and kind and is_fact(kind) else b""
    return line + b"data: " + dump(document) + b"\n\n"


def empty_start() -> JsonObject:
    usage = {"input_tokens": 0, "output_tokens": 0}
    head: JsonObject = {"id": "", "type": "message", "role": "assistant", "model": "", "content": []}
    return {"type": "message_start", "message": {**head, "stop_reason": None, "stop_sequence": None, "usage": usage}}


def text_block(index: int, text: str) -> list[JsonObject]:
    return [
        {"type": "content_block_start", "index": index, "content_block": {"type": "text", "text": ""}},
        {"type": DELTA, "index": index, "delta": {"type": "text_delta", "text": text}},
        {"type": "content_block_stop", "index": index},
    ]


def block_index(document: JsonObject) -> int:
    index = document.get("index")
    return index if type(index) is int and index >= 0 else 0


def brings_signature(document: JsonObject, kind: object) -> bool:
    """Tell an event that brings a signature over the block so far."""
    delta = document.get("delta")
    return kind == DELTA and isinstance(delta, dict) and bool(delta.get("signature"))


def take_texts(delta: JsonObject, index: int) -> Iterator[Piece]:
    """Take every running text out of a delta, leaving empty strings.

    A summary of the conversation so far stays in its event: clients take the last such delta for all of it.
    """
    kind = delta.get("type")
    if kind == _SUMMARY:
        return
    step = escape(kind) if isinstance(kind, str) and is_fact(kind) else ""
    for field, text in list(delta.items()):
        known = field in SEALED or (field == "type" and is_fact(text))
        if isinstance(text, str) and text and not known:
            delta[field] = ""
            yield Piece(f"{index}/{step}/{escape(field)}", text, whole=field == _WHOLE)


def summary_of(delta: JsonObject, index: int) -> Iterator[Piece]:
    """Yield the summary that a delta brings, which stays where it is."""
    text = delta.get("content")
    if delta.get("type") == _SUMMARY and isinstance(text, str):
        yield Piece(f"{index}/{_SUMMARY}/content", text)


def is_bare(document: JsonObject) -> bool:
    """Tell whether nothing but the place and emptied texts is left."""
    delta = document.get("delta")
    known = document.keys() <= {"type", "index", "delta"}
    return known and isinstance(delta, dict) and all(key == "type" or value == "" for key, value in delta.items())
