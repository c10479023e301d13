"""Requests as bytes on a socket, and what came back: for whoever must send what no client library would."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson


@dataclass(frozen=True, slots=True)
class Reply:
    """All that came back on one connection until it was closed, or until one whole answer was there."""

    raw: bytes
    seconds: float
    hung: bool = False

    @property
    def final(self) -> bytes:
        """What came, without the head that tells a client to go on."""
        return self.raw.partition(b"\r\n\r\n")[2] if self.raw.startswith(b"HTTP/1.1 100") else self.raw

    @property
    def head(self) -> bytes:
        return self.final.partition(b"\r\n\r\n")[0].lower()

    @property
    def body(self) -> bytes:
        return self.final.partition(b"\r\n\r\n")[2]

    @property
    def status(self) -> int:
        """The answer's status, 0 if the connection was closed without one."""
        words = self.final.split(b" ", 2)
        return int(words[1]) if len(words) > 1 and words[0].startswith(b"HTTP/") and words[1].isdigit() else 0

    @property
    def code(self) -> Any:
        """The error's code in OpenAI's shape, None if there is none."""
        try:
            return orjson.loads(self.body)["error"]["code"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return None

    def header(self, name: str) -> str:
        for line in self.head.split(b"\r\n")[1:]:
            found, _, value = line.partition(b":")
            if found == name.lower().encode():
                return value.strip().decode()
        return ""


def address_of(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


def talk(
    address: tuple[str, int], *pieces: bytes, pause: float = 0.0, patience: float = 20.0, to_end: bool = False
) -> Reply:
    """Send pieces with pauses between them, and read one answer, or `to_end` of the connection."""
    started = time.monotonic()
    received = b""
    with socket.create_connection(address, timeout=patience) as connection:
        try:
            _send(connection, pieces, pause)
            while to_end or not is_whole(received):
                connection.settimeout(max(0.01, started + patience - time.monotonic()))
                part = connection.recv(1 << 16)
                if not part:
                    break
                received += part
        except TimeoutError:
            return Reply(received, time.monotonic() - started, hung=True)
        except ConnectionError:  # it may hang up while we still speak; what it said before is an answer all the same
            received += _rest(connection)
    return Reply(received, time.monotonic() - started)


def _send(connection: socket.socket, pieces: Iterable[bytes], pause: float) -> None:
    for piece in pieces:
        connection.sendall(piece)
        if pause:
            time.sleep(pause)  # noqa: TID251 - a slow client


def _rest(connection: socket.socket) -> bytes:
    try:
        return connection.recv(1 << 16)
    except OSError:
        return b""


def is_whole(received: bytes) -> bool:
    """Tell whether these bytes hold one whole final answer."""
    head, end, body = received.partition(b"\r\n\r\n")
    if not end:
        return False
    if head.startswith(b"HTTP/1.1 100"):
        return is_whole(body)
    lines = head.lower().split(b"\r\n")
    if b"transfer-encoding: chunked" in lines:
        return body.endswith(b"0\r\n\r\n")
    lengths = [int(line[15:]) for line in lines if line.startswith(b"content-length:")]
    return bool(lengths) and len(body) >= lengths[0]


def post(key: str, body: bytes, *headers: str, path: str = "/v1/chat/completions", length: int | None = None) -> bytes:
    """Return a request as an ordinary client writes it, with more header lines if wanted."""
    size = len(body) if length is None else length
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {key}", f"Content-Length: {size}"]
    if not any(line.lower().startswith("content-type") for line in headers):
        lines.append("Content-Type: application/json")
    return ("\r\n".join([*lines, *headers]) + "\r\n\r\n").encode("latin-1") + body
