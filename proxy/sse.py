"""Server-sent events, read by the WHATWG rules from bytes cut anywhere. No sockets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

LONGEST_EVENT: Final = 4 << 20  # bytes of one event; a provider's longest is far below


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
        self._buffer = b""
        self._started = False
        self._event, self._data = "", list[str]()

    def feed(self, chunk: bytes) -> Iterator[SseEvent]:
        """Yield the events that `chunk` completes. Raises SseError."""
        self._buffer += chunk
        if len(self._buffer) > LONGEST_EVENT:
            raise SseError("an event is longer than 4 MiB")
        yield from self._lines(final=False)

    def finish(self) -> Iterator[SseEvent]:
        """Yield what a stream leaves that ended without its last empty line."""
        yield from self._lines(final=True)
        last = self._line(b"")
        if last is not None:
            yield last

    def _lines(self, *, final: bool) -> Iterator[SseEvent]:
        if not self._started and self._buffer:
            self._buffer = self._buffer.removeprefix(b"\xef\xbb\xbf")
            self._started = len(self._buffer) >= 3 or final
        lines = (
            self._buffer.replace(b"\r\n", b"\n").split(b"\n") if b"\r" in self._buffer else self._buffer.split(b"\n")
        )
        rest = lines.pop()
        if rest.endswith(b"\r") and not final:  # half of a CRLF, or a bare CR: wait for what follows
            pass
        self._buffer = rest
        if final and rest:
            lines.append(rest)
            self._buffer = b""
        for line in lines:
            for part in line.split(b"\r"):
                event = self._line(part)
                if event is not None:
                    yield event

    def _line(self, raw: bytes) -> SseEvent | None:
        if not raw:
            event = SseEvent(self._event, "\n".join(self._data)) if self._data else None
            self._event, self._data = "", []
            return event
        if raw.startswith(b":"):
            return None
        try:
            name, _, value = raw.decode().partition(":")
        except UnicodeDecodeError as exc:
            raise SseError("not UTF-8") from exc
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
            if sum(map(len, self._data)) > LONGEST_EVENT:
                raise SseError("an event is longer than 4 MiB")
        elif name == "event":
            self._event = value
        return None
