"""A request as the bytes of one write, in which no value can pose as a header or a second request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from proxy.pool.endpoint import Endpoint
from proxy.upstreams.upstream import UpstreamRequest

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_TARGET: Final = re.compile(r"/[\x21-\x7e]*")
# Possessive, so that it never looks back: a third of the time of one look at each name and value.
_LINES: Final = re.compile(rf"(?:{_TOKEN.pattern}+: [^\r\n\0]*+\r\n)*+")
# Framing, routing and the connection belong to the pool; two opinions about them are how smuggling starts.
_OURS: Final = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer", "upgrade", "expect"}
)
_BODY_EXPECTED: Final = frozenset({"POST", "PUT", "PATCH"})


def request_bytes(endpoint: Endpoint, request: UpstreamRequest) -> bytes:
    """Return head and body joined, framed by Content-Length (RFC 9112, 6.2). Raises ValueError for what cannot be sent.

    Header values are sent as UTF-8; bytes that came in undecodable (surrogateescape) leave as they came.
    """
    target, body = endpoint.path + request.path, request.body
    if not _TOKEN.fullmatch(request.method) or not _TARGET.fullmatch(target):
        raise ValueError("method or path cannot be sent")
    if body is None:
        body, length = b"", "Content-Length: 0\r\n" if request.method in _BODY_EXPECTED else ""
    else:
        length = f"Content-Length: {len(body)}\r\n"
    start = f"{request.method} {target} HTTP/1.1\r\nHost: {endpoint.authority}\r\n"
    return f"{start}{_lines(request.headers)}{length}\r\n".encode("utf-8", "surrogateescape") + body


def _lines(headers: Mapping[str, str]) -> str:
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    # Well-formed lines could still be more than were given, when a value holds line and all of another header.
    if (
        not _LINES.fullmatch(lines)
        or lines.count("\n") != len(headers)
        or not _OURS.isdisjoint(map(str.lower, headers))
    ):
        raise ValueError("a header cannot be sent")  # it may be a credential: neither name nor value is told
    return lines
