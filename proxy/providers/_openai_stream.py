"""Chat completion chunks: which text of a chunk belongs to which channel, and how to write one again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from detectors.types import Direction, Origin
from policies.types import BlockAs
from proxy.bodies.json_document import JsonError, dump, parse
from proxy.bodies.pointer import escape, unescape
from proxy.bodies.walk import Walk
from proxy.codec import Frame, JsonObject, Piece, Refusal
from proxy.providers._chat_parser import ChatParser
from proxy.providers._chat_turns import Turns
from proxy.providers._layouts import CHOICE_CHANNELS, NOWHERE
from proxy.providers._openai_answer import ANSWER_FACTS
from proxy.providers._openai_media import MEDIA, is_media, walk_media
from proxy.providers._openai_shapes import VOCABULARY, error_body, is_fact, refusal_body, usage_of
from proxy.providers._recurring import Recurring
from proxy.pseudonyms.restorable import SPOKEN, Use
from proxy.streams.sse import SSE, SseParser

DONE: Final = b"data: [DONE]\n\n"
_WHOLE: Final = ("arguments", "input")  # of tool calls: held per call and released whole
# Short facts of a choice, which stay in their event: no running text.
_LABELS: Final = frozenset({"role", "type", "id", "name", "format", "finish_reason", "native_finish_reason"})
_ENVELOPE: Final = ANSWER_FACTS | {"provider"}
_MOST_CHOICES: Final = 1000
_POSITION: Final = re.compile(r"/[0-9]+(?![^/])")  # in a list; the choice's own has no slash in front
_MARK: Final = "\0text"  # no key and no fact of an envelope holds a NUL
_NOTHING: Final = Walk(Direction.RESPONSE, VOCABULARY)


class ChatStream:
    """Remembers the envelope of the last chunk, so that text held back can be sent in a chunk of its own.

    A channel is the index of its choice and the path of its text in there: `0/delta/tool_calls/1/function/arguments`.
    """

    content_type = SSE
    chunk = "chat.completion.chunk"
    layout = NOWHERE  # all texts of a chunk are channels

    def __init__(self) -> None:
        self._envelope: JsonObject = {"id": "", "object": self.chunk, "created": 0, "model": ""}
        self._begun: set[int] = set()
        self._unfinished: set[int] = set()
        self._recurring = Recurring()
        self._around: dict[str, tuple[bytes, bytes]] = {}  # by channel: an event of its text, cut where that stands
        self._tools: dict[str, str] = {}  # by the channel of a call's arguments, up to its last step
        self._turns = Turns()

    def parser(self) -> SseParser:
        return ChatParser()

    def finish(self) -> Frame | None:
        """Only [DONE] ends such a stream."""
        return None

    def read(self, event: str, data: str) -> Frame:
        piece = self._recurring.piece(data)
        if piece is not None:
            self._turns.hear(piece)
            return Frame({}, (piece,), _NOTHING, bare=True)
        nothing = Walk(Direction.RESPONSE, VOCABULARY)
        if data.startswith("[DONE]"):
            return Frame({}, (), nothing, ends=("",), last=True)
        if not data.strip():
            return Frame({}, (), nothing, bare=True)
        document = parse(data.encode())
        if not isinstance(document, dict):
            raise JsonError("a stream event must be an object")
        frame = self.read_document(document)
        self._recurring.learn(data, frame)
        return frame

    def read_document(self, document: JsonObject) -> Frame:
        """Read one event's document, of which the texts are taken out."""
        document.pop("obfuscation", None)  # padding against eavesdroppers, who see our sizes anyway
        self._envelope |= {key: value for key, value in document.items() if key in _ENVELOPE and is_fact(value)}
        self._around.clear()
        pieces: list[Piece] = []
        ends: list[str] = []
        over: list[str] = []
        for position, choice in _choices(document):
            index = _index(choice, position)
            self._begun.add(index)
            self._unfinished.add(index)
            choice.pop("logprobs", None)  # text held back must not arrive by another door
            calls = dict(_listed_calls(choice, str(index)))
            over += self._turns.replaced(calls.items())
            taken = tuple(_take_texts(choice, str(index)))
            over += self._turns.over(index, taken, calls)
            for piece in taken:
                self._turns.hear(piece)
            pieces += taken
            for place, name in _named_tools(choice, str(index)).items():
                # Clients join what comes of a name: two parts of one name no tool of the policy's.
                self._tools[place] = name if self._tools.get(place, name) == name else ""
            if choice.get("finish_reason"):
                ends.append(f"{index}/")
                self._unfinished.discard(index)
        rest = _rest(document)
        return Frame(
            document,
            tuple(pieces),
            rest,
            ends=tuple(ends),
            finishing=bool(ends),
            bare=not rest.segments and _is_bare(document),
            failed=bool(document.get("error")),
            usage=usage_of(document),
            over=tuple(over),
        )

    def strand(self, channel: str) -> str:
        return _POSITION.sub("", channel).removesuffix("/text")  # parts of one content, and a content without parts

    def use_of(self, channel: str) -> Use | None:
        call, _, field = channel.rpartition("/")
        if field in _WHOLE:
            return Use(self._tools.get(call, ""))
        return SPOKEN if CHOICE_CHANNELS.speaks(channel) else None

    def released(self, channel: str, text: str) -> None:
        """Nothing is read again of what was said."""

    def text_event(self, channel: str, text: str) -> bytes:
        if channel not in self._around:
            head, _, tail = self._whole_event(channel, _MARK).partition(dump(_MARK))
            self._around[channel] = head, tail
        head, tail = self._around[channel]
        return head + dump(text) + tail

    def _whole_event(self, channel: str, text: str) -> bytes:
        index, *path = channel.split("/")
        below: Any = text
        for step in reversed(path):
            if not step.isdecimal():
                below = {_key(step): below}
            else:
                below = [{"index": int(step), **below} if isinstance(below, dict) else below]
        choice = {"index": int(index), **self.nothing_said(), "finish_reason": None, **below}
        return event_of({**self._envelope, "choices": [choice]})

    def nothing_said(self) -> JsonObject:
        """Return what a choice of this kind of chunk has that says nothing."""
        return {"delta": {}}

    def write(self, frame: Frame) -> bytes:
        return DONE if frame.last else event_of(frame.document)

    def cut(self, refusal: Refusal, block_as: BlockAs) -> bytes:
        body = refusal_body(refusal)
        if block_as is BlockAs.ERROR:
            return event_of(body)
        ending = self.ending(body["error"]["message"], block_as)
        choices = [{"index": index, **ending} for index in sorted(self._unfinished or self._begun or {0})]
        return event_of({**self._envelope, "choices": choices}) + DONE

    def ending(self, notice: str, block_as: BlockAs) -> JsonObject:
        """Return how a choice of this kind ends that was blocked."""
        if block_as is BlockAs.REFUSAL:
            return {"delta": {"refusal": notice}, "finish_reason": "stop"}
        return {"delta": {}, "finish_reason": "content_filter"}

    def failure(self, status: int, code: str, message: str) -> bytes:
        return event_of(error_body(status, code, message))


def event_of(document: JsonObject) -> bytes:
    """Return an event without a name."""
    return b"data: " + dump(document) + b"\n\n"


def _choices(document: JsonObject) -> Iterator[tuple[int, JsonObject]]:
    choices = document.get("choices")
    listed = choices if isinstance(choices, list) else ()
    return ((position, choice) for position, choice in enumerate(listed) if isinstance(choice, dict))


def _index(item: JsonObject, position: int) -> int:
    """Return which choice or call an item says it belongs to, else its own position."""
    index = item.get("index")
    return index if type(index) is int and 0 <= index < _MOST_CHOICES else position


def _take_texts(value: Any, path: str) -> Iterator[Piece]:
    """Take every running text out of a choice, leaving empty strings; list items count by their own `index`."""
    for key, child in list(value.items()) if isinstance(value, dict) else list(enumerate(value)):
        whole = key in _WHOLE
        if key == "index":
            continue
        if isinstance(child, str):
            if child and not (key in _LABELS and is_fact(child)) and not is_media(f"{path}/{key}", child):
                value[key] = ""
                yield Piece(f"{path}/{_step(key)}", child, whole=whole)
        elif isinstance(child, dict | list) and not whole:  # arguments that are no string come in one event
            step = _index(child, key) if isinstance(child, dict) and isinstance(key, int) else _step(key)
            yield from _take_texts(child, f"{path}/{step}")


def _named_tools(value: Any, path: str) -> dict[str, str]:
    """Return the tools that a choice's calls name, by the path of what they are called with."""
    tools: dict[str, str] = {}
    delta = value.get("delta")
    if not isinstance(delta, dict):
        return tools
    holders = [(f"{path}/delta/function_call", delta.get("function_call"))]
    for place, call in _listed_calls(value, path):
        holders += [(f"{place}/{kind}", call.get(kind)) for kind in ("function", "custom")]
    for place, holder in holders:
        name = holder.get("name") if isinstance(holder, dict) else None
        if isinstance(name, str) and name:
            tools[place] = name
    return tools


def _listed_calls(choice: JsonObject, path: str) -> Iterator[tuple[str, JsonObject]]:
    """Yield the calls of a choice, with their places."""
    delta = choice.get("delta")
    calls = delta.get("tool_calls") if isinstance(delta, dict) else None
    for position, call in enumerate(calls if isinstance(calls, list) else ()):
        if isinstance(call, dict):
            yield f"{path}/delta/tool_calls/{_index(call, position)}", call


def _step(key: str | int) -> str:
    """Return a key as a step of a channel; only a position in a list is written as a bare number."""
    return str(key) if isinstance(key, int) else ("~2" if key.isdecimal() else "") + escape(key)


def _key(step: str) -> str:
    return unescape(step.removeprefix("~2"))


def _rest(document: JsonObject) -> Walk:
    walk = Walk(Direction.RESPONSE, VOCABULARY)
    for key, value in document.items():
        if key in _ENVELOPE and is_fact(value):
            walk.skip("answer_facts", 2)
        else:
            walk.child(key, None, Origin.ASSISTANT, "")
            walk_media(walk, value, Origin.ASSISTANT, f"/{escape(key)}", MEDIA)
    return walk


def _is_bare(document: JsonObject) -> bool:
    """Tell whether nothing but the envelope and emptied texts is left."""
    choices = document.get("choices")
    if not isinstance(choices, list) or not choices or not document.keys() <= _ENVELOPE | {"choices"}:
        return False
    return all(isinstance(choice, dict) and _is_bare_choice(choice) for choice in choices)


def _is_bare_choice(choice: JsonObject) -> bool:
    known = choice.keys() <= {"index", "delta", "text", "finish_reason", "native_finish_reason"}
    return known and not choice.get("finish_reason") and not choice.get("text") and _is_empty(choice.get("delta"))


def _is_empty(value: object, key: str = "") -> bool:
    match value:
        case dict():
            return all(_is_empty(child, name) for name, child in value.items())
        case list():
            return all(_is_empty(child) for child in value)
        case bool() | int() | float():
            return key == "index"
        case _:
            return not value
