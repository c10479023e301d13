"""The outermost wall: what is refused before anybody reads it, always in the dialect's own error shape."""

from __future__ import annotations

import asyncio
import logging
import re
from functools import lru_cache
from typing import Any, Final

import structlog
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from detectors.errors import EdgeError
from proxy.codec import Target
from proxy.json_document import JsonError, parse
from proxy.responses import error_response

_CODINGS: Final = frozenset({"", "identity", "gzip", "deflate", "br", "zstd"})
# OpenRouter speaks several dialects at one address: there the path and the headers tell.
_MOUNTS: Final = {"/openai": "openai", "/openrouter": "", "/anthropic": "anthropic", "/gemini": "gemini"}
_PATH: Final = re.compile(r"/[A-Za-z0-9._~!$&'()*+,=:@/-]*")
_HOST: Final = re.compile(r"[A-Za-z0-9.\-_:\[\]]{1,255}")
_KEY_HEADERS: Final = ("Authorization", "x-promptshield-key", "api-key")
# Seconds to read on after an early answer, so that it is not lost to a reset; what arrives is still decompressed.
_LINGERING: Final = 2.0
_SILENT: Final = logging.getLogger("promptshield.silent")  # an access log would hold what clients put into paths
_SILENT.disabled = True
_LOG: Final = structlog.get_logger("promptshield.edge")


class EdgeServer(web.Server):
    """aiohttp's server with its broken-request answers in our shape, and one log line instead of a traceback."""

    def __init__(self, handler: Any, **options: Any) -> None:
        super().__init__(handler, handler_cancellation=True, **options)
        self._options = {"lingering_time": _LINGERING, **options}

    def __call__(self) -> RequestHandler:
        return _EdgeProtocol(self, loop=asyncio.get_running_loop(), access_log=_SILENT, **self._options)


class _EdgeProtocol(RequestHandler):
    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        # The parser's message can quote the request, so neither the log nor the answer repeats it.
        _LOG.info("request refused", status=status, reason=type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer had begun")
        code = "internal_error" if status >= 500 else "invalid_http"
        text = "Internal error." if status >= 500 else "The request is not valid HTTP/1.1."
        response = error_response(status, code, text)
        response.force_close()
        return response

    def log_exception(self, *args: Any, **kw: Any) -> None:
        # A body that breaks off or cannot be decoded: no business of ours, and no traceback in the log.
        _LOG.info("connection closed", reason=type(kw.get("exc_info")).__name__)


def read_target(request: web.BaseRequest) -> Target:
    """Return the one normal form of a request's target. Raises EdgeError for every other spelling of it."""
    if request.version < (1, 0):
        raise EdgeError(400, "invalid_http", "HTTP/1.0 or 1.1 is needed.")
    hosts = request.headers.getall("Host", [])
    if len(hosts) > 1 or (request.version >= (1, 1) and not hosts) or not all(map(_HOST.fullmatch, hosts)):
        raise EdgeError(400, "invalid_http", "Exactly one valid Host header is needed.")
    if "Upgrade" in request.headers and request.headers.get("Upgrade", "").lower() != "h2c":
        raise EdgeError(400, "upgrade_refused", "Protocol upgrades are not offered here.")
    if any(len(request.headers.getall(name, ())) > 1 for name in _KEY_HEADERS):
        raise EdgeError(401, "invalid_api_key", "Send one API key.")
    path, _, query = request.raw_path.partition("?")
    below, mount = _normal_path(path)
    return Target(request.method, below, query, mount)


@lru_cache(maxsize=256)
def _normal_path(path: str) -> tuple[str, str]:
    """Return the path below its mount, and the mount's dialect.

    Raises EdgeError 404 for whatever could be read in two ways.
    """
    if not _PATH.fullmatch(path) or "//" in path or "/." in path:
        raise EdgeError(404, "unknown_path", "There is nothing at this path.")
    mount = next((mount for mount in _MOUNTS if path.startswith(f"{mount}/")), "")
    return path.removeprefix(mount), _MOUNTS.get(mount, "")


async def read_body(request: web.BaseRequest, limit: int, idle: float) -> bytes:
    """Return the decoded body. Raises EdgeError 413 beyond `limit` bytes, 408 after `idle` silent seconds, 415, 400."""
    coding = ",".join(request.headers.getall("Content-Encoding", ())).strip().lower()
    if coding not in _CODINGS:
        raise EdgeError(
            415, "unsupported_encoding", "Content-Encoding must be one of identity, gzip, deflate, br, zstd."
        )
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the answer itself has not begun
    chunks: list[bytes] = []
    size = 0
    content = request.content
    try:
        while True:
            if content.is_eof():  # it came with the head, as most bodies do: no clock is needed
                chunk = content.read_nowait() if not content.at_eof() else b""
            else:
                async with asyncio.timeout(idle):
                    chunk = await content.readany()
            if not chunk:
                return b"".join(chunks)
            chunks.append(chunk)
            size += len(chunk)
            if size > limit:
                raise EdgeError(413, "request_too_large", f"The body is larger than {limit} bytes.")
    except TimeoutError as exc:
        raise EdgeError(408, "body_timeout", f"Nothing arrived for {idle:g} seconds.") from exc
    except (web.HTTPException, web.RequestPayloadError) as exc:
        raise EdgeError(400, "invalid_body", "The body could not be decoded.") from exc


def read_json(body: bytes) -> dict[str, Any]:
    """Return the request's JSON object. Raises EdgeError 400 that says where it is broken."""
    try:
        document = parse(body)
    except JsonError as exc:
        raise EdgeError(400, "invalid_json", f"The body is not valid JSON: {exc}.") from exc
    if not isinstance(document, dict):
        raise EdgeError(400, "invalid_json", "The body must be a JSON object.")
    return document
