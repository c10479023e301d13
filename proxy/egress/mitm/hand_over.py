"""How a connection whose TLS mitmproxy has ended comes to the data plane: introduced once, then byte for byte."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from mitmproxy.connection import ConnectionState, Server
from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers import HttpLayer
from mitmproxy.proxy.layers.http import HTTPMode

ASKED_FOR: Final = 5.0  # seconds
_HELD: Final = 64 << 20  # bytes that a client may send ahead of the data plane's word: more than it takes of a body
_HEAD: Final = 8 << 10  # bytes of that word
_FIRST_HEAD: Final = 1 << 20  # bytes by which whoever is unknown has to say who they are; what was read ahead included


def _answer(status: str, code: str, message: str, *more: str) -> bytes:
    body = json.dumps({"error": {"message": message, "type": "server_error", "param": None, "code": code}})
    head = ("Content-Type: application/json", f"Content-Length: {len(body)}", "Connection: close", *more)
    return "\r\n".join((f"HTTP/1.1 {status}", *head, "", body)).encode()


# What the client is told, by the status that the data plane answered an introduction with.
_NO: Final = {
    b"401": _answer(
        "401 Unauthorized", "invalid_api_key", "This is no PromptShield key any more.", "x-should-retry: false"
    ),
    b"503": _answer(
        "503 Service Unavailable", "overloaded", "The firewall has no room at the moment.", "Retry-After: 1"
    ),
}
_NOBODY: Final = _answer("502 Bad Gateway", "egress_error", "The firewall cannot be reached.", "x-should-retry: false")


class Plane(NamedTuple):  # no dataclass: mitmproxy loads scripts in a way that these do not survive
    """Where the data plane is, how it knows us, and which hosts are read."""

    host: str
    port: int
    token: str
    hosts: frozenset[str]

    @classmethod
    def read(cls, file: Path) -> Plane:
        given = json.loads(file.read_text())
        url = urlsplit(given["plane"])
        return cls(url.hostname or "127.0.0.1", url.port or 80, given["token"], frozenset(given["hosts"]))

    def request(self, what: str, *headers: str, host: str = "", keep: bool = False) -> bytes:
        """Return a request of our own to the data plane, empty if something in it does not belong into a header."""
        authority = f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
        lines = [
            f"{what} HTTP/1.1",
            f"Host: {authority}",
            f"Connection: {'keep-alive' if keep else 'close'}",
            "Content-Length: 0",
            *headers,
            f"x-promptshield-egress: {host or min(self.hosts)} {self.token}",
        ]
        if not all(line.isascii() and line.isprintable() for line in lines):  # a host's name is its client's to write
            return b""
        return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


class PlaneConnection(Server):  # type: ignore[misc]  # mitmproxy is not in the environment that types are checked in
    """Our own way to the data plane, where nobody else may be sent."""


class HandOver(layer.Layer):  # type: ignore[misc]
    """Relays a connection to the data plane once that has said that it knows who speaks on it, and to which host.

    From then on no byte is looked at; until then none is sent. Where nobody says so, or there is no `plane` to ask, the
    client is told and the connection ends.
    """

    def __init__(self, context: Context, plane: Plane | None, introduction: bytes) -> None:
        super().__init__(context)
        self._server = PlaneConnection(address=(plane.host, plane.port) if plane else None)
        self._introduction, self._reply = introduction, b""
        self._waiting: list[bytes] | None = []  # None once what comes goes on
        self._over = False

    def _handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        if self._over:
            return
        if isinstance(event, events.Start):
            yield from self._begin()
        elif isinstance(event, events.ConnectionClosed):
            yield from self._end()
        elif isinstance(event, events.Wakeup):
            if self._waiting is not None:
                yield from self._refuse()
        elif isinstance(event, events.DataReceived):
            from_client = event.connection == self.context.client
            if self._waiting is None:
                yield commands.SendData(self._server if from_client else self.context.client, event.data)
            elif from_client:
                self._waiting.append(event.data)
                if sum(map(len, self._waiting)) > _HELD:
                    yield from self._refuse()
            else:
                yield from self._listen(event.data)

    def _begin(self) -> layer.CommandGenerator[None]:
        known = self._server.address is not None and self._introduction
        if not known or (yield commands.OpenConnection(self._server)):
            yield from self._refuse()
        else:
            yield commands.SendData(self._server, self._introduction)
            yield commands.RequestWakeup(ASKED_FOR)

    def _listen(self, data: bytes) -> layer.CommandGenerator[None]:
        """Hear whether the data plane takes the connection: its answer has no body, and nothing follows it unasked."""
        self._reply += data
        head, end, rest = self._reply.partition(b"\r\n\r\n")
        status = head.split(b" ")[1] if end and head.startswith(b"HTTP/1.1 ") else b""
        if len(self._reply) > _HEAD or (end and (rest or status != b"204")):
            yield from self._refuse(status)
        elif end:
            waiting, self._waiting = self._waiting or [], None
            for said in waiting:
                yield commands.SendData(self._server, said)

    def _refuse(self, status: bytes = b"") -> layer.CommandGenerator[None]:
        yield commands.SendData(self.context.client, _NO.get(status, _NOBODY))
        yield from self._end()

    def _end(self) -> layer.CommandGenerator[None]:
        self._over = True
        for connection in (self._server, self.context.client):
            if connection.state is not ConnectionState.CLOSED:
                yield commands.CloseConnection(connection)


class FirstHead(layer.Layer):  # type: ignore[misc]
    """Reads HTTP from a client, and ends with who says much before saying who they are: mitmproxy would keep it all."""

    def __init__(self, context: Context, heard: Callable[[], bool]) -> None:
        super().__init__(context)
        self._inner, self._heard, self._left = HttpLayer(context, HTTPMode.regular), heard, _FIRST_HEAD

    def _handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        if self._left >= 0 and isinstance(event, events.DataReceived) and not self._heard():
            self._left -= len(event.data)
        if self._left >= 0:
            yield from self._inner.handle_event(event)
        elif self.context.client.state is not ConnectionState.CLOSED:
            yield commands.CloseConnection(self.context.client)
