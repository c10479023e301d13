"""How a stream of answers is written: as server-sent events, or as a JSON array that is well-formed however it ends."""

from __future__ import annotations

from typing import Protocol

from proxy.bodies.json_document import dump
from proxy.codec import EventParser, JsonObject
from proxy.providers._gemini_array import ArrayParser
from proxy.responses import JSON
from proxy.streams.sse import SSE, SseParser


class Wire(Protocol):
    """What goes between documents. `end` is written last, and may be asked for again: only one of them is sent."""

    @property
    def content_type(self) -> str: ...
    def parser(self) -> EventParser: ...
    def event(self, document: JsonObject) -> bytes: ...
    def end(self, *documents: JsonObject) -> bytes: ...


class SseWire:
    """No end marker: such a stream is over when the connection says so. Comments would break official SDKs."""

    content_type = SSE

    def parser(self) -> EventParser:
        return SseParser()

    def event(self, document: JsonObject) -> bytes:
        return b"data: " + dump(document) + b"\r\n\r\n"

    def end(self, *documents: JsonObject) -> bytes:
        return b"".join(map(self.event, documents))


class ArrayWire:
    """`[` once, commas between, `]` at the end."""

    content_type = JSON

    def __init__(self) -> None:
        self._begun = False

    def parser(self) -> EventParser:
        return ArrayParser()

    def event(self, document: JsonObject) -> bytes:
        before = b",\r\n" if self._begun else b"["
        self._begun = True
        return before + dump(document)

    def end(self, *documents: JsonObject) -> bytes:
        before = b",\r\n" if self._begun and documents else b"" if self._begun else b"["
        return before + b",\r\n".join(map(dump, documents)) + b"]"
