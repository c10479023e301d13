"""One answer out of bytes: llhttp reads, this room says when it is whole, broken, or of a kind that is refused."""

from __future__ import annotations

from typing import Final, Literal

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from multidict import CIMultiDict

Failure = Literal["timeout", "reset", "protocol"]
LARGEST_HEAD: Final = 64 << 10
_BODILESS: Final = frozenset({204, 304})


class AnswerReader:
    """Reads the answer to one request: `feed` it bytes, or `end` it, until `ended`; then let it go.

    `headers` is None until the final head has come (1xx heads are passed over) and keeps repeated headers apart:
    joining them would spoil `Set-Cookie` and make one strange content type of two; a look-up gives the first.
    `unread` is the size of the body not yet taken. `reusable` says that nothing stands against a next request on
    the same connection. The `on_*` methods are llhttp's.
    """

    __slots__ = (
        "_head_size", "_pairs", "_parser", "_parts", "_quiet", "_until_end", "_without_body",
        "complete", "failure", "headers", "reusable", "status", "touched", "unread",
    )  # fmt: skip

    def __init__(self, method: str) -> None:
        self._without_body = method == "HEAD"
        self._parser: HttpResponseParser | None = HttpResponseParser(self)
        self._pairs: list[tuple[str, str]] = []
        self._parts: list[bytes] = []
        self._head_size = self._quiet = self.unread = self.status = 0
        self.headers: CIMultiDict[str] | None = None
        self.failure: Failure | None = None
        self.complete = self.reusable = self.touched = self._until_end = False

    @property
    def ended(self) -> bool:
        return self.complete or self.failure is not None

    def feed(self, data: bytes) -> None:
        """Read bytes as they came. What is wrong with them shows in `failure`; body before the fault stays."""
        parser = self._parser
        if parser is None:
            return
        self.touched, unread = True, self.unread
        try:
            parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            if self.complete:
                self.reusable = False  # bytes after the answer: the next one would begin with a stranger's
            else:
                self.fail("protocol")
        else:
            self._bound_quiet(len(data) if self.unread == unread else 0)
        if self.complete:
            self._parser = None

    def end(self) -> None:
        """The peer sends no more. Only a body without a length may end so; that it is cut short then cannot be told."""
        if self._until_end and not self.ended:
            self.complete, self._parser = True, None
        else:
            self.fail("reset")

    def fail(self, failure: Failure) -> None:
        """End the answer unless it has ended."""
        if not self.ended:
            self.failure = failure
        self._parser = None  # it refers back to us; without the circle both go at once

    def take(self) -> bytes:
        """Return the body that was not taken yet, as one piece; empty if there is none."""
        parts, self._parts, self.unread = self._parts, [], 0
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _bound_quiet(self, size: int) -> None:
        # llhttp buffers names, values and trailers without end; what brings no body may go on for so long only.
        self._quiet = self._quiet + size if size else 0
        if self._quiet > LARGEST_HEAD and not self.complete:
            self.fail("protocol")

    def on_message_begin(self) -> None:
        if self.complete:
            raise _RefusedError

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_size += len(name) + len(value) + 4
        if self._head_size > LARGEST_HEAD:
            raise _RefusedError
        if self.headers is None:  # else it is a trailer, and nobody asked for any
            self._pairs.append((name.decode("ascii"), value.decode("utf-8", "surrogateescape")))

    def on_headers_complete(self) -> None:
        parser = self._parser
        assert parser is not None  # noqa: S101 - it is calling
        status, headers = parser.get_status_code(), CIMultiDict(self._pairs)
        self._pairs = []
        if status < 200:
            # 101 would hand the connection to a protocol that nobody asked for; a 1xx with a body is a disguise.
            if status < 100 or status == 101 or "Content-Length" in headers or "Transfer-Encoding" in headers:
                raise _RefusedError
            return
        framed = _framed(headers, parser.get_http_version())
        self.status, self.headers = status, headers
        self._until_end = not (framed or status in _BODILESS)
        if self._without_body:
            # llhttp does not know the request and waits for a body, so this connection ends here.
            self.complete = True

    def on_body(self, data: bytes) -> None:
        if self.complete:
            raise _RefusedError
        self._parts.append(data)
        self.unread += len(data)

    def on_message_complete(self) -> None:
        if self.headers is not None and not self._without_body:
            assert self._parser is not None  # noqa: S101 - it is calling
            self.complete, self.reusable = True, self._parser.should_keep_alive()


class _RefusedError(Exception):
    """Stops llhttp in the middle; never leaves `feed`."""


def _framed(headers: CIMultiDict[str], version: str) -> bool:
    """Whether the head tells the body's end. Refuses what two readers could understand differently (RFC 9112, 6.3)."""
    if version not in {"1.1", "1.0"}:
        raise _RefusedError
    lengths, codings = headers.getall("Content-Length", []), headers.getall("Transfer-Encoding", [])
    if len(lengths) + len(codings) > 1:
        raise _RefusedError
    if codings and (codings[0].lower() != "chunked" or version == "1.0"):
        raise _RefusedError
    return bool(lengths or codings)
