"""Answers inside of files: the lines of a batch's output, each read by the codec whose answers look like it.

Source: platform.openai.com/docs/api-reference/batch/request-output.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from detectors.types import Direction, Origin, Unscanned
from proxy.bodies.walk import Walk
from proxy.codec import Codec, JsonObject
from proxy.providers._openai_shapes import is_fact
from proxy.providers.openai_chat import CODEC as CHAT
from proxy.providers.openai_completions import CODEC as COMPLETIONS
from proxy.providers.openai_embeddings import CODEC as EMBEDDINGS
from proxy.providers.openai_images import CODEC as IMAGES
from proxy.providers.openai_responses import CODEC as RESPONSES

# A line does not say to which URL its request went, but what it was answered with.
_READERS: Final[Mapping[str, Codec]] = {
    "chat.completion": CHAT,
    "text_completion": COMPLETIONS,
    "response": RESPONSES,
    "list": EMBEDDINGS,
}
_FACTS: Final = frozenset({"id", "request_id", "status_code"})


def walk_results(walk: Walk, lines: list[Any], pointer: str) -> None:
    """Take in the lines of a file that comes back; what is no answer of a batch is a text like any other."""
    start = len(walk.segments)
    for index, line in enumerate(lines):
        below = f"{pointer}/{index}"
        if walk.full:
            walk.unread(Unscanned.OVERSIZE)
        elif _answer_in(line) is None:
            walk.visit(line, Origin.ASSISTANT, below)
        else:
            walk.message(start)
            _walk_result(walk, line, below)
            start = len(walk.segments)
    walk.message(start)


def answers_in(lines: list[Any]) -> Iterator[tuple[Codec, JsonObject]]:
    """Yield every answer among the lines with the codec that reads it."""
    for line in lines:
        answer = _answer_in(line)
        if answer is not None:
            yield _reader_of(answer), answer


def _answer_in(line: object) -> JsonObject | None:
    response = line.get("response") if isinstance(line, dict) else None
    body = response.get("body") if isinstance(response, dict) else None
    return body if isinstance(body, dict) else None


def _reader_of(answer: JsonObject) -> Codec:
    kind = answer.get("object")
    if not isinstance(kind, str):  # images and moderations do not say what they are; the former may hold bytes
        return IMAGES
    return _READERS.get(kind, CHAT)


def _walk_result(walk: Walk, line: JsonObject, pointer: str) -> None:
    for key, value in line.items():
        if key == "response":
            walk.child(key, None, Origin.ASSISTANT, pointer)
            for name, child in value.items():
                _walk_field(walk, name, child, f"{pointer}/response")
        else:
            _walk_field(walk, key, value, pointer)


def _walk_field(walk: Walk, key: str, value: object, pointer: str) -> None:
    if key in _FACTS and is_fact(value):
        walk.skip("answer_facts", 2)
    elif key == "body" and isinstance(value, dict):
        walk.child(key, None, Origin.ASSISTANT, pointer)
        walk.graft(_reader_of(value).segments(value, Direction.RESPONSE), f"{pointer}/body")
    else:
        walk.child(key, value, Origin.ASSISTANT, pointer)
