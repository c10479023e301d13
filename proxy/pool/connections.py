"""All connections to one endpoint: those at work, and those that rest until the next request."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Final

from aiohappyeyeballs import start_connection

from proxy.pool.connection import Connection
from proxy.pool.endpoint import Endpoint

MOST_IDLE: Final = 256
IDLE_SECONDS: Final = 60.0
_NEXT_ADDRESS_AFTER: Final = 0.25  # RFC 8305, 8


class Connections:
    """Connects, and keeps what is left of it. The last to come to rest is the first to work again, so that those
    beyond what the load needs grow old and are closed.
    """

    def __init__(self, endpoint: Endpoint, tls: ssl.SSLContext, idle_seconds: float) -> None:
        self._endpoint, self._tls, self._idle_seconds = endpoint, tls, idle_seconds
        self._open: set[Connection] = set()
        self._idle: dict[Connection, float] = {}  # in order of coming to rest, with its time
        self._sweep: asyncio.TimerHandle | None = None
        self._emptied: asyncio.Event | None = None

    def take(self) -> Connection | None:
        """Return an idle connection on which nothing has happened since it came to rest, if there is one."""
        while self._idle:
            connection, _ = self._idle.popitem()
            if connection.quiet:
                return connection
            connection.abort()
        return None

    async def connect(self) -> Connection:
        """Open a connection: names resolved, addresses raced, certificate verified. Raises OSError, ValueError."""
        loop, endpoint = asyncio.get_running_loop(), self._endpoint
        # Not create_connection alone: uvloop's tries one address after the other, and one that swallows
        # packets (a broken IPv6 route) would take the whole connect timeout.
        addresses = await loop.getaddrinfo(
            endpoint.host, endpoint.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
        )
        connected = await start_connection(addresses, happy_eyeballs_delay=_NEXT_ADDRESS_AFTER, loop=loop)
        _, connection = await loop.create_connection(
            lambda: Connection(self),
            sock=connected,
            ssl=self._tls if endpoint.tls else None,
            server_hostname=endpoint.host.partition("%")[0] if endpoint.tls else None,
        )
        if self._emptied is not None:
            connection.abort()
        if connection.closing:
            raise ConnectionAbortedError
        self._open.add(connection)
        return connection

    def rest(self, connection: Connection) -> None:
        if self._emptied is not None:
            connection.abort()
            return
        loop = asyncio.get_running_loop()
        self._idle[connection] = loop.time()
        if len(self._idle) > MOST_IDLE:
            self._abort_oldest()
        if self._sweep is None:
            self._sweep = loop.call_later(self._idle_seconds, self._close_old)

    def lost(self, connection: Connection) -> None:
        self._open.discard(connection)
        self._idle.pop(connection, None)
        if self._emptied is not None and not self._open:
            self._emptied.set()

    async def close(self) -> None:
        """Cut all connections, also those at work, and wait until their sockets are closed."""
        self._emptied = asyncio.Event()
        if self._sweep is not None:
            self._sweep.cancel()
        for connection in self._open:
            connection.abort()
        if self._open:
            await self._emptied.wait()

    def _close_old(self) -> None:
        loop, self._sweep = asyncio.get_running_loop(), None
        now = loop.time()
        while self._idle:
            since = next(iter(self._idle.values()))
            if now - since < self._idle_seconds:
                self._sweep = loop.call_at(since + self._idle_seconds, self._close_old)
                return
            self._abort_oldest()

    def _abort_oldest(self) -> None:
        connection = next(iter(self._idle))
        del self._idle[connection]
        connection.abort()
