"""The outermost wall: what is refused before anybody reads it, always in the dialect's own error shape."""

from __future__ import annotations

import asyncio
import logging
import re
from functools import lru_cache
from itertools import chain
from typing import Any, Final

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_exceptions import LineTooLong
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from aiohttp.web_protocol import RequestHandler
from multidict import CIMultiDictProxy

from detectors.errors import EdgeError
from proxy.bodies.json_document import JsonError, parse
from proxy.codec import Target
from proxy.egress.connections import HandedOver
from proxy.pool.deadline import Deadline
from proxy.refusals import Refusals
from proxy.responses import error_response

_CODINGS: Final = frozenset({"", "identity", "gzip", "deflate", "br", "zstd"})
# OpenRouter speaks several dialects at one address: there the path and the headers tell.
_MOUNTS: Final = {"/openai": "openai", "/openrouter": "", "/anthropic": "anthropic", "/gemini": "gemini"}
_PATH: Final = re.compile(r"/[A-Za-z0-9._~!$&'()*+,=:@/-]*")
_HOST: Final = re.compile(r"[A-Za-z0-9.\-_:\[\]]{1,255}")
_KEY_HEADERS: Final = ("Authorization", "x-promptshield-key", "api-key", "x-api-key", "x-goog-api-key")
# The parser bounds each header and their number; together they could still be a megabyte.
_LARGEST_HEAD: Final = 32 << 10
_CHARSET: Final = re.compile(r"charset\s*=\s*\"?([^\s;\",]*)", re.IGNORECASE)
_UTF_8: Final = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})
# Seconds to read on after an early answer, so that it is not lost to a reset; what arrives is still decompressed.
_LINGERING: Final = 2.0
_SILENT: Final = logging.getLogger("promptshield.silent")  # an access log would hold what clients put into paths
_SILENT.disabled = True


class EdgeServer(web.Server):
    """aiohttp's server with a clock for heads, its broken-request answers in our shape, and a line for a traceback.

    `head_idle`: seconds from the first byte of a request, or from the start of a connection, to the end of its head.
    """

    def __init__(
        self, handler: Any, *, head_idle: float = 10.0, refusals: Refusals | None = None, **options: Any
    ) -> None:
        super().__init__(handler, handler_cancellation=True, request_factory=_request, **options)
        self._options = {"lingering_time": _LINGERING, **options}
        self.head_idle, self.refusals = head_idle, refusals or Refusals()

    def __call__(self) -> RequestHandler:
        return _EdgeProtocol(self, loop=asyncio.get_running_loop(), access_log=_SILENT, **self._options)


class _EdgeProtocol(RequestHandler):
    __slots__ = ("_clock", "_edge", "_heads", "_in_head", "_newest", "handed_over")

    handed_over: HandedOver | None
    _edge: EdgeServer
    _clock: Deadline

    def __init__(self, edge: EdgeServer, **options: Any) -> None:
        super().__init__(edge, **options)
        self._edge, self._newest, self.handed_over = edge, EMPTY_PAYLOAD, None
        self._in_head, self._heads = True, 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._clock = Deadline(self._loop, self._head_is_late)
        self._clock.start(self._edge.head_idle)

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self._clock.close()

    def data_received(self, data: bytes) -> None:
        """Read on. The clock of a head starts with its first byte, and no later byte of it starts the clock again."""
        newest: StreamReader = self._newest
        between_bodies, heads = newest.is_eof(), self._request_count
        super().data_received(data)
        if self._request_count != heads:
            self._in_head = False
            self._clock.stop()
            if self._messages:
                self._newest = self._messages[-1][1]
        elif between_bodies and data and not self._in_head:
            self._in_head, self._heads = True, heads
            self._clock.start(self._edge.head_idle)

    def _head_is_late(self) -> None:
        if self._request_count != self._heads:  # it came by another way, behind an upgrade that was declined
            self._in_head = False
        elif self._request_in_progress or self._messages:  # an earlier request is being answered: first things first
            self._clock.start(self._edge.head_idle)
        else:
            self._edge.refusals.note("connection closed", "head_timeout")
            self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        # The parser's message can quote the request, so neither the log nor the answer repeats it.
        reason = "other" if status >= 500 else "headers_too_large" if isinstance(exc, LineTooLong) else "invalid_http"
        self._edge.refusals.note("request refused", reason, status=status, error=type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer had begun")
        code = "internal_error" if status >= 500 else "invalid_http"
        text = "Internal error." if status >= 500 else "The request is not valid HTTP/1.1."
        response = error_response(status, code, text)
        response.force_close()
        return response

    def log_exception(self, *args: Any, **kw: Any) -> None:
        # A body that breaks off or cannot be decoded: no business of ours, and no traceback in the log.
        error = type(kw.get("exc_info")).__name__
        self._edge.refusals.note("connection closed", "connection_closed", error=error)


def _request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: RequestHandler,
    writer: AbstractStreamWriter,
    task: asyncio.Task[None],
) -> web.BaseRequest:
    assert isinstance(protocol, _EdgeProtocol)  # noqa: S101 - the server makes no other
    handed_over = protocol.handed_over
    message = message if handed_over is None else handed_over.placed(message)
    return web.BaseRequest(message, payload, protocol, writer, task, task.get_loop())


def hand_over(request: web.BaseRequest, to: HandedOver) -> None:
    """Read what follows on this connection as what our own HTTP proxy hands over."""
    assert isinstance(request.protocol, _EdgeProtocol)  # noqa: S101 - the server makes no other
    request.protocol.handed_over = to


def read_target(request: web.BaseRequest) -> Target:
    """Return the one normal form of a request's target. Raises EdgeError for every other spelling of it."""
    if request.version < (1, 0):
        raise EdgeError(400, "invalid_http", "HTTP/1.0 or 1.1 is needed.")
    if sum(map(len, chain.from_iterable(request.raw_headers))) > _LARGEST_HEAD:
        raise EdgeError(431, "headers_too_large", f"The headers are larger than {_LARGEST_HEAD} bytes.")
    headers = request.headers
    names = [name.lower() for name, _ in request.raw_headers]
    if len(set(names)) < len(names):  # hardly ever
        _refuse_repeated(headers)
    host = headers.get("Host", None if request.version >= (1, 1) else "h")
    if host is None or not _HOST.fullmatch(host):
        raise EdgeError(400, "invalid_http", "Exactly one valid Host header is needed.")
    if headers.get("Upgrade", "h2c").lower() != "h2c":
        raise EdgeError(400, "upgrade_refused", "Protocol upgrades are not offered here.")
    path, _, query = request.raw_path.partition("?")
    below, mount = normal_path(path)
    return Target(request.method, below, query, mount)


def _refuse_repeated(headers: CIMultiDictProxy[str]) -> None:
    """Refuse what two readers of the same request could read differently. Raises EdgeError 400 or 401."""
    if len(headers.getall("Host", ())) > 1:
        raise EdgeError(400, "invalid_http", "Exactly one valid Host header is needed.")
    if any(len(headers.getall(name, ())) > 1 for name in _KEY_HEADERS):
        raise EdgeError(401, "invalid_api_key", "Send one API key.")


@lru_cache(maxsize=256)
def normal_path(path: str) -> tuple[str, str]:
    """Return the path below its mount, and the mount's dialect.

    Raises EdgeError 404 for whatever could be read in two ways.
    """
    if not _PATH.fullmatch(path) or "//" in path or "/." in path:
        raise EdgeError(404, "unknown_path", "There is nothing at this path.")
    mount = _mount(path)
    return path.removeprefix(mount), _MOUNTS.get(mount, "")


def told_target(request: web.BaseRequest) -> Target:
    """Return as much of a target as tells in whose words to refuse it, however it is spelt."""
    path, _, query = request.raw_path.partition("?")
    return Target(request.method, path, query, _MOUNTS.get(_mount(path), ""))


def _mount(path: str) -> str:
    return next((mount for mount in _MOUNTS if path.startswith(f"{mount}/")), "")


def expected_size(request: web.BaseRequest, limit: int) -> int:
    """Return how many bytes of body to reckon with before it is read: `limit` where nobody can tell.

    Raises EdgeError 413 where the body itself says that it is larger.
    """
    if not request.body_exists:
        return 0
    length = request.content_length
    if length is None or "Content-Encoding" in request.headers:
        return limit
    if length > limit:
        raise _too_large(limit)
    return length


async def read_body(request: web.BaseRequest, limit: int, idle: float, total: float = 300.0) -> bytes:
    """Return the decoded body.

    Raises EdgeError 413 beyond `limit` bytes, 408 after `idle` silent seconds or `total` in all, 415, 417, 400.
    """
    _refuse_codings(request)
    await _go_on(request)
    chunks: list[bytes] = []
    size, deadline = 0, 0.0
    content, clock = request.content, asyncio.get_running_loop().time
    try:
        while True:
            if content.is_eof():  # it came with the head, as most bodies do: no clock is needed
                chunk = content.read_nowait() if not content.at_eof() else b""
            else:
                deadline = deadline or clock() + total
                async with asyncio.timeout_at(min(clock() + idle, deadline)):
                    chunk = await content.readany()
            if not chunk:
                return b"".join(chunks)
            chunks.append(chunk)
            size += len(chunk)
            if size > limit:
                raise _too_large(limit)
    except TimeoutError as exc:
        late = (
            f"did not come whole in {total:g} seconds" if clock() >= deadline else f"fell silent for {idle:g} seconds"
        )
        raise EdgeError(408, "body_timeout", f"The body {late}.") from exc
    except (web.HTTPException, web.RequestPayloadError) as exc:
        raise EdgeError(400, "invalid_body", "The body could not be decoded.") from exc


def _too_large(limit: int) -> EdgeError:
    return EdgeError(413, "request_too_large", f"The body is larger than {limit} bytes.")


def _refuse_codings(request: web.BaseRequest) -> None:
    """Refuse a body whose label says that we would read it as something that it is not."""
    coding = ",".join(request.headers.getall("Content-Encoding", ())).strip().lower()
    if coding not in _CODINGS:
        raise EdgeError(
            415, "unsupported_encoding", "Content-Encoding must be one of identity, gzip, deflate, br, zstd."
        )
    kind = ",".join(request.headers.getall("Content-Type", ()))
    if "=" in kind and any(name.lower() not in _UTF_8 for name in _CHARSET.findall(kind)):
        raise EdgeError(415, "unsupported_charset", "The body's charset must be utf-8.")


async def _go_on(request: web.BaseRequest) -> None:
    """Tell a client that asks before it sends to go on (RFC 9110, 10.1.1)."""
    expected = request.headers.get("Expect", "").lower()
    if not expected or request.version < (1, 1):
        return
    if expected != "100-continue":
        raise EdgeError(417, "expectation_failed", "Nothing but 100-continue can be expected.")
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0  # the answer itself has not begun


def read_json(body: bytes) -> dict[str, Any]:
    """Return the request's JSON object. Raises EdgeError 400 that says where it is broken."""
    try:
        document = parse(body)
    except JsonError as exc:
        raise EdgeError(400, "invalid_json", f"The body is not valid JSON: {exc}.") from exc
    if not isinstance(document, dict):
        raise EdgeError(400, "invalid_json", "The body must be a JSON object.")
    return document
