"""Chunks of a chat that bring several calls at once, or a call and the end: told one after the other, because what
calls are called with is held, and goes out behind the name of its own call and before whatever comes next.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from proxy.bodies.json_document import JsonError, dump, parse
from proxy.codec import JsonObject
from proxy.providers._openai_answer import ANSWER_FACTS
from proxy.streams.sse import SseEvent, SseParser

_MOST_CALLS: Final = 64
_LONGEST: Final = 256 << 10  # characters of a chunk, of which each call has its facts once more


class ChatParser(SseParser):
    """Cuts a chat's stream into events, of which none brings more than one call of a choice that is alone."""

    def feed(self, chunk: bytes) -> Iterator[SseEvent]:
        for event in super().feed(chunk):
            yield from _told_apart(event)

    def finish(self) -> Iterator[SseEvent]:
        for event in super().finish():
            yield from _told_apart(event)


def _told_apart(event: SseEvent) -> Iterator[SseEvent]:
    document = _read(event.data) if '"tool_calls"' in event.data and len(event.data) <= _LONGEST else None
    choice = _only_choice(document)
    calls = choice["delta"]["tool_calls"] if choice is not None else ()
    if document is None or choice is None or not (len(calls) > 1 or (calls and choice.get("finish_reason"))):
        yield event
        return
    head = {key: value for key, value in document.items() if key in ANSWER_FACTS}
    place = {key: value for key, value in choice.items() if key == "index"}
    said = {key: value for key, value in choice["delta"].items() if key != "tool_calls"}
    deltas = [{"tool_calls": [{"index": index, **call}]} for index, call in enumerate(calls)]
    for number, delta in enumerate(deltas):
        told = {**place, "delta": {**said, **delta} if number == 0 else delta, "finish_reason": None}
        yield SseEvent(event.event, dump({**head, "choices": [told]}).decode())
    yield SseEvent(event.event, dump({**document, "choices": [{**choice, "delta": {}}]}).decode())


def _read(data: str) -> Any:
    try:
        return parse(data.encode())
    except (JsonError, UnicodeEncodeError):  # whoever reads it next says so
        return None


def _only_choice(document: Any) -> JsonObject | None:
    """Return the choice of a chunk that holds no other one, if it brings calls as they are written."""
    choices = document.get("choices") if isinstance(document, dict) else None
    choice = choices[0] if isinstance(choices, list) and len(choices) == 1 else None
    delta = choice.get("delta") if isinstance(choice, dict) else None
    calls = delta.get("tool_calls") if isinstance(delta, dict) else None
    written = isinstance(calls, list) and len(calls) <= _MOST_CALLS and all(isinstance(call, dict) for call in calls)
    return choice if written else None
