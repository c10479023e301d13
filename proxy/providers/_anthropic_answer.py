"""What a messages answer says: everything is the model's word, or a tool's, but for identifiers and counts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from detectors.types import Origin
from policies.types import BlockAs
from proxy.bodies.pointer import escape
from proxy.bodies.walk import Walk
from proxy.codec import JsonObject, Reference, Refusal
from proxy.providers._anthropic_blocks import walk_blocks
from proxy.providers._anthropic_shapes import VOCABULARY, notice, stop_details
from proxy.providers._openai_shapes import is_fact

ANSWER_FACTS: Final = frozenset({"id", "type", "role", "model", "stop_reason"})
_ENVELOPES: Final = frozenset({"message", "delta", "content", "content_block"})


def walk_answer(walk: Walk, answer: JsonObject, pointer: str = "") -> None:
    """Take in a whole answer, or the message that begins a stream; its content is a message of the walk."""
    for key, value in answer.items():
        below = f"{pointer}/{escape(key)}"
        if key in ANSWER_FACTS and is_fact(value):
            walk.skip("answer_facts", 2)
        elif key == "content" and isinstance(value, list):
            walk.skip("vocabulary")
            start = len(walk.segments)
            walk_blocks(walk, value, Origin.ASSISTANT, below)
            walk.message(start)
        elif key == "usage" and isinstance(value, dict):
            walk.skip("vocabulary")
            walk_usage(walk, value, below)
        else:
            walk.child(key, value, Origin.ASSISTANT, pointer)


def walk_usage(walk: Walk, usage: JsonObject, pointer: str) -> None:
    """Take in token counts; the names among them (a tier, a region) are facts."""
    for key, value in usage.items():
        if key in VOCABULARY and is_fact(value):
            walk.skip("answer_facts", 2)
        else:
            walk.child(key, value, Origin.ASSISTANT, pointer)


def blocked_message(refusal: Refusal, block_as: BlockAs, answer: JsonObject) -> JsonObject:
    """Return the answer that declines, with the facts of the one that is blocked; `refusal` says so in a text too."""
    facts = {key: value for key, value in answer.items() if key in ANSWER_FACTS and is_fact(value)}
    usage = answer.get("usage")
    counts = usage.items() if isinstance(usage, dict) else ()
    text = [{"type": "text", "text": notice(refusal)}] if block_as is BlockAs.REFUSAL else []
    return facts | {
        "type": "message",
        "role": "assistant",
        "content": text,
        "stop_reason": "refusal",
        "stop_sequence": None,
        "stop_details": stop_details(refusal),
        "usage": {key: value for key, value in counts if key in VOCABULARY and is_fact(value)},
    }


def creations_of(answer: Any) -> Iterator[Reference]:
    """Yield the containers and files that an answer, or one event of a stream, says were made."""
    if isinstance(answer, list):
        for item in answer:
            yield from creations_of(item)
    elif isinstance(answer, dict):
        container, made = answer.get("container"), answer.get("file_id")
        if isinstance(container, dict) and isinstance(container.get("id"), str):
            yield Reference("container", container["id"])
        if isinstance(made, str) and str(answer.get("type")).endswith("code_execution_output"):
            yield Reference("file", made)
        for key in _ENVELOPES & answer.keys():
            yield from creations_of(answer[key])
