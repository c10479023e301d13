"""A request as the bytes of one write, in which no value can pose as a header or a second request."""

from __future__ import annotations

import re
from typing import Final

from proxy.pool.endpoint import Endpoint
from proxy.upstream import UpstreamRequest

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_TARGET: Final = re.compile(r"/[\x21-\x7e]*")
_UNSENDABLE: Final = re.compile(r"[\r\n\0]")
# Framing, routing and the connection belong to the pool; two opinions about them are how smuggling starts.
_OURS: Final = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer", "upgrade", "expect"}
)
_BODY_EXPECTED: Final = frozenset({"POST", "PUT", "PATCH"})


def request_bytes(endpoint: Endpoint, request: UpstreamRequest) -> bytes:
    """Return head and body joined, framed by Content-Length (RFC 9112, 6.2). Raises ValueError for what cannot be sent.

    Header values are sent as UTF-8; bytes that came in undecodable (surrogateescape) leave as they came.
    """
    target = endpoint.path + request.path
    if not _TOKEN.fullmatch(request.method) or not _TARGET.fullmatch(target):
        raise ValueError("method or path cannot be sent")
    lines = [f"{request.method} {target} HTTP/1.1\r\nHost: {endpoint.authority}\r\n"]
    for name, value in request.headers.items():
        if not _TOKEN.fullmatch(name) or _UNSENDABLE.search(value) or name.lower() in _OURS:
            raise ValueError("a header cannot be sent")  # it may be a credential: neither name nor value is told
        lines.append(f"{name}: {value}\r\n")
    body = request.body or b""
    if request.body is not None or request.method in _BODY_EXPECTED:
        lines.append(f"Content-Length: {len(body)}\r\n")
    lines.append("\r\n")
    return "".join(lines).encode("utf-8", "surrogateescape") + body
