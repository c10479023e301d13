"""One stream of the Responses API: events read, judged by their parts, and numbered anew as they are written."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from detectors.types import Direction, Origin
from policies.types import BlockAs
from proxy.bodies.json_document import JsonError, dump, parse
from proxy.bodies.walk import Walk
from proxy.codec import Frame, JsonObject, Refusal
from proxy.providers._layouts import RESPONSE, RESPONSE_EVENTS
from proxy.providers._loose_texts import LooseTexts
from proxy.providers._openai_shapes import error_body, is_fact, refusal_body, usage_of
from proxy.providers._responses_bodies import walk_response
from proxy.providers._responses_copies import drop_logprobs, drop_offsets, mend_output_text
from proxy.providers._responses_ending import blocked_response, error_event, refusal_events
from proxy.providers._responses_events import (
    FAILED,
    LAST,
    Taken,
    channel_of,
    ends_with,
    is_bare,
    item_place,
    kind_of,
    output_index,
    take_deltas,
    take_openings,
)
from proxy.providers._responses_items import walk_item, walk_part
from proxy.providers._responses_memory import Memory
from proxy.providers._responses_shapes import VOCABULARY, facts_of, is_answer_fact
from proxy.pseudonyms.restorable import SPOKEN, Use
from proxy.streams.sse import SSE, SseParser

_ENTIRE: Final = frozenset(
    {"item", "part", "response", "annotation", "error"}
)  # what an event holds that says all of it


class ResponsesStream:
    """Remembers what was sent of every channel, so that the events which repeat a text repeat what was sent.

    A channel is the place of its text in the response object: `output/0/content/1/text`. `sequence_number` is counted
    anew, because events are left out and put in. Events up to the number `after` are read and not written again: a
    client that lost its connection has them, and what follows can only be judged behind what came before it.
    """

    content_type = SSE
    layout = RESPONSE_EVENTS

    def __init__(self, after: int = -1) -> None:
        self._after = after
        self._memory = Memory()
        self._tools: dict[str, str] = {}  # by the place of their call
        self._opened: list[Taken] = []  # what the event before began with; it goes out behind that event
        self._envelope: JsonObject = {}
        self._loose = LooseTexts()
        self._number = 0
        self._items = 0  # one more than the highest output index
        self._message: JsonObject | None = None  # where in the message that is open the next part would stand

    def parser(self) -> SseParser:
        return SseParser()

    def finish(self) -> None:
        """Only an event that carries the whole response ends such a stream."""

    def read(self, event: str, data: str) -> Frame:
        if not data.strip() or data.startswith("[DONE]"):  # servers of other APIs end so; nothing here does
            return Frame({}, (), Walk(Direction.RESPONSE, VOCABULARY), bare=True)
        document = parse(data.encode())
        if not isinstance(document, dict):
            raise JsonError("a stream event must be an object")
        if event and "type" not in document:
            document["type"] = event
        document.pop("obfuscation", None)  # padding against eavesdroppers, who see our sizes anyway
        document.pop("sequence_number", None)
        taken = (*self._opened, *take_deltas(document))
        for text in taken:
            self._memory.give(text)
        self._opened = list(take_openings(document))
        ends = ends_with(document)
        self._memory.end(ends)
        self._note_tool(document)
        drop_logprobs(document)  # text held back must not arrive by another door
        bare = is_bare(document)
        if not bare:
            self._memory.take_copies(document)
        kind, response = kind_of(document), document.get("response")
        rest = _rest(document)
        if rest.segments and _ENTIRE.isdisjoint(document):
            self._loose.read(rest, f"{item_place(document)} {kind}")
        return Frame(
            document,
            tuple(text.piece for text in taken),
            rest,
            ends=ends,
            last=kind in LAST,
            bare=bare,
            failed=kind in FAILED or bool(document.get("error")),
            usage=usage_of(response) if isinstance(response, dict) else None,
        )

    def strand(self, channel: str) -> str:
        return channel.rpartition("/")[2]

    def use_of(self, channel: str) -> Use | None:
        place, _, field = channel.rpartition("/")
        if field in {"arguments", "input"}:
            return Use(self._tools.get(f"{place}/", ""))
        return SPOKEN if RESPONSE.speaks(channel) else None

    def released(self, channel: str, text: str) -> None:
        self._memory.release(channel, text)

    def text_event(self, channel: str, text: str) -> bytes:
        taken = self._memory.carrier(channel, text)
        return self._fresh({**taken.carrier, "delta": {taken.field: text} if taken.field else text})

    def write(self, frame: Frame) -> bytes:
        document = frame.document
        annotation, response = document.get("annotation"), document.get("response")
        if isinstance(annotation, dict) and self._memory.changed(channel_of("response.output_text", document)):
            drop_offsets({"annotations": annotation})
        changed = self._memory.fill()
        if isinstance(response, dict):
            if changed:
                mend_output_text(response)
            self._envelope |= facts_of(response)
        self._follow(document)
        return self._fresh(document)

    def cut(self, refusal: Refusal, block_as: BlockAs) -> bytes:
        if block_as is BlockAs.ERROR:
            return self._written(error_event(refusal_body(refusal)))
        if block_as is BlockAs.CONTENT_FILTER:
            response = blocked_response(refusal, block_as, self._envelope)
            return self._written({"type": "response.incomplete", "response": response})
        place = self._message or {"item_id": f"msg_{refusal.decision_id}", "output_index": self._items}
        place = {"content_index": 0, **place}
        return self._all_written(refusal_events(refusal, self._envelope, place, begun=self._message is not None))

    def failure(self, status: int, code: str, message: str) -> bytes:
        return self._written(error_event(error_body(status, code, message)))

    def _note_tool(self, document: JsonObject) -> None:
        item = document.get("item")
        name = item.get("name") if isinstance(item, dict) else None
        if isinstance(name, str):
            self._tools[item_place(document)] = name

    def _follow(self, document: JsonObject) -> None:
        """Note which message is open, and what comes after the items and parts so far."""
        kind, index, item = kind_of(document), output_index(document), document.get("item")
        self._items = max(self._items, index + 1)
        if kind == "response.output_item.added" and isinstance(item, dict) and item.get("type") == "message":
            if index >= 0 and isinstance(item.get("id"), str) and is_fact(item["id"]):
                self._message = {"item_id": item["id"], "output_index": index, "content_index": 0}
        elif self._message is not None and index == self._message["output_index"]:
            if kind == "response.content_part.added":
                self._message["content_index"] += 1
            elif kind == "response.output_item.done":
                self._message = None

    def _all_written(self, documents: Iterable[JsonObject]) -> bytes:
        return b"".join(self._written(document) for document in documents)

    def _fresh(self, document: JsonObject) -> bytes:
        """Return the event as it is written, nothing where the client has it. Its own ends a stream always tells."""
        number = self._number
        data = self._written(document)
        return data if number > self._after else b""

    def _written(self, document: JsonObject) -> bytes:
        kind = kind_of(document)
        name = b"event: " + kind.encode() + b"\n" if kind else b""
        data = dump({**document, "sequence_number": self._number})
        self._number += 1
        return name + b"data: " + data + b"\n\n"


def _rest(document: JsonObject) -> Walk:
    walk = Walk(Direction.RESPONSE, VOCABULARY)
    for key, value in document.items():
        if (key == "type" and kind_of(document)) or is_answer_fact(key, value):
            walk.skip("answer_facts", 2)
        elif key == "response" and isinstance(value, dict):
            walk.skip("vocabulary")
            walk_response(walk, value, "/response")
        elif key == "item":
            walk.skip("vocabulary")
            walk_item(walk, value, "/item")
        else:
            walk_part(walk, {key: value}, Origin.TOOL if key == "annotation" else Origin.ASSISTANT, "")
    return walk
