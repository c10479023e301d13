"""A stream that is one JSON array, written piece by piece: cut into its objects from bytes cut anywhere. No sockets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import Final

from proxy.streams.sse import LONGEST_EVENT, SseError, SseEvent

# Only these bytes change what follows means; no byte within a longer UTF-8 character is one of them.
_OUTSIDE: Final = re.compile(rb'["{}\[\]]')
_INSIDE: Final = re.compile(rb'["\\]')
_BETWEEN: Final = re.compile(rb"[^ \t\r\n]")


class _At(Enum):
    START = "["
    FIRST = "{ or ]"
    NEXT = "{"
    BEHIND = ", or ]"
    END = "nothing more"


class ArrayParser:
    """Bytes in, one event for each object of the array out."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._seen = 0  # how far into the buffer its structure is known
        self._at, self._depth, self._quoted = _At.START, 0, False

    def feed(self, chunk: bytes) -> Iterator[SseEvent]:
        """Yield the objects that `chunk` completes. Raises SseError, also for an object beyond 4 MiB."""
        self._buffer += chunk
        while True:
            if self._depth:
                end = self._end_of_object()
                if end is None:
                    break
                yield self._cut(end)
            elif not self._step():
                break
        if len(self._buffer) > LONGEST_EVENT:
            raise SseError("an object is longer than 4 MiB")

    def finish(self) -> Iterator[SseEvent]:
        """Yield nothing: what is left is no whole object. Raises SseError where something is."""
        yield from ()
        if self._depth:
            raise SseError("the array ends inside an object")

    def _step(self) -> bool:
        """Take one sign between objects; return False when there is none yet."""
        match = _BETWEEN.search(self._buffer)
        if match is None:
            self._buffer.clear()
            return False
        sign, at = match.group(), self._at
        del self._buffer[: match.start()]
        if sign == b"{" and at in {_At.FIRST, _At.NEXT}:
            self._depth, self._seen = 1, 1
            return True
        if sign == b"[" and at is _At.START:
            self._at = _At.FIRST
        elif sign == b"," and at is _At.BEHIND:
            self._at = _At.NEXT
        elif sign == b"]" and at in {_At.FIRST, _At.BEHIND}:
            self._at = _At.END
        else:
            raise SseError(f"no array of objects: expected {at.value}")
        del self._buffer[:1]
        return True

    def _end_of_object(self) -> int | None:
        """Read on, and return where the object that is open ends, None while it does not."""
        while self._depth:
            match = (_INSIDE if self._quoted else _OUTSIDE).search(self._buffer, self._seen)
            if match is None:
                self._seen = len(self._buffer)
                return None
            sign = match.group()
            if sign == b"\\":
                if match.end() == len(self._buffer):  # what it escapes has not come yet
                    self._seen = match.start()
                    return None
                self._seen = match.end() + 1
                continue
            self._seen = match.end()
            if sign == b'"':
                self._quoted = not self._quoted
            else:
                self._depth += 1 if sign in b"{[" else -1
        return self._seen

    def _cut(self, end: int) -> SseEvent:
        raw = bytes(self._buffer[:end])
        del self._buffer[:end]
        self._seen, self._at = 0, _At.BEHIND
        try:
            return SseEvent("", raw.decode())
        except UnicodeDecodeError as exc:
            raise SseError("not UTF-8") from exc
