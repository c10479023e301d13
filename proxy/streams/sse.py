"""Server-sent events, read by the WHATWG rules from bytes cut anywhere. No sockets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

SSE: Final = "text/event-stream"
LONGEST_EVENT: Final = 4 << 20  # bytes of one event; a provider's longest is far below
_BOM: Final = b"\xef\xbb\xbf"
_STARTS: Final = (b"data:", b"event:", b":", b"id:", b"retry:")


def begins_stream(raw: bytes) -> bool:
    """Tell bytes that begin as a stream of events does, whatever their label says."""
    return raw.lstrip().startswith(_STARTS)


class SseError(ValueError):
    """The bytes are no event stream: an event without end, or not UTF-8."""


@dataclass(frozen=True, slots=True)
class SseEvent:
    """`event` is empty where the stream named none. `data` joins its lines with newlines."""

    event: str
    data: str


class SseParser:
    """Bytes in, events out. Comments are dropped; a byte order mark at the start is ignored."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._started = False
        self._event, self._data, self._size = "", list[str](), 0

    def feed(self, chunk: bytes) -> Iterator[SseEvent]:
        """Yield the events that `chunk` completes. Raises SseError."""
        if self._started and not self._buffer and not self._data and not self._event and _is_one_event(chunk):
            yield SseEvent("", _decoded(chunk[6:-2]))
            return
        self._buffer += chunk
        if b"\n" in chunk or b"\r" in chunk:
            yield from self._lines(final=False)
        if len(self._buffer) > LONGEST_EVENT:
            raise SseError("an event is longer than 4 MiB")

    def finish(self) -> Iterator[SseEvent]:
        """Yield what a stream leaves that ended without its last empty line."""
        yield from self._lines(final=True)
        last = self._line(b"")
        if last is not None:
            yield last

    def _lines(self, *, final: bool) -> Iterator[SseEvent]:
        if not self._started:
            if _BOM.startswith(bytes(self._buffer)) and not final:  # so far it may become one
                return
            self._buffer, self._started = self._buffer.removeprefix(_BOM), True
        # A CR at the end may be half of a CRLF: it waits for what follows.
        half = b"\r" if self._buffer.endswith(b"\r") and not final else b""
        whole = self._buffer.removesuffix(half)
        lines = whole.splitlines()
        unfinished = lines and not final and not whole.endswith((b"\n", b"\r"))
        self._buffer = (lines.pop() if unfinished else bytearray()) + half
        for line in lines:
            event = self._line(line)
            if event is not None:
                yield event

    def _line(self, raw: bytes | bytearray) -> SseEvent | None:
        if not raw:
            event = SseEvent(self._event, "\n".join(self._data)) if self._data else None
            self._event, self._data, self._size = "", [], 0
            return event
        if raw.startswith(b":"):
            return None
        name, _, value = _decoded(raw).partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
            self._size += len(raw)
            if self._size > LONGEST_EVENT:
                raise SseError("an event is longer than 4 MiB")
        elif name == "event":
            self._event = value
        return None


def _is_one_event(chunk: bytes) -> bool:
    """Tell of the most frequent chunk that it is just one nameless event of one line."""
    return (
        chunk.startswith(b"data: ")
        and chunk.endswith(b"\n\n")
        and chunk.count(b"\n") == 2
        and b"\r" not in chunk
        and len(chunk) <= LONGEST_EVENT
    )


def _decoded(raw: bytes | bytearray) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as exc:
        raise SseError("not UTF-8") from exc
