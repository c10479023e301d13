"""Real receivers on the loopback interface, which can go away and come back at the same address."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web


@dataclass
class Call:
    headers: dict[str, str]
    body: bytes


@dataclass
class HttpReceiver:
    """Answers each POST with the next of `answers`, then with 204."""

    calls: list[Call] = field(default_factory=list)
    answers: list[web.Response] = field(default_factory=list)
    tls: ssl.SSLContext | None = None
    port: int = 0
    _runner: web.AppRunner | None = None

    async def come_back(self) -> None:
        app = web.Application(client_max_size=64 << 20)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=self.tls).start()
        self.port = self._runner.addresses[0][1]

    async def go_away(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _answer(self, request: web.Request) -> web.Response:
        self.calls.append(Call({k.lower(): v for k, v in request.headers.items()}, await request.read()))
        return self.answers.pop(0) if self.answers else web.Response(status=204)


@dataclass
class SyslogReceiver:
    """Takes octet-counted messages (RFC 6587) over TCP or TLS."""

    messages: list[bytes] = field(default_factory=list)
    tls: ssl.SSLContext | None = None
    port: int = 0
    _server: asyncio.Server | None = None
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    async def come_back(self) -> None:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", self.port, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def go_away(self) -> None:
        if self._server is not None:
            self._server.close()
            for writer in self._writers:
                writer.transport.abort()
            await self._server.wait_closed()
            await asyncio.sleep(0.001)  # an aborted transport closes its socket in the loop's next round
            self._server = None

    async def arrived(self, number: int) -> list[bytes]:
        async with asyncio.timeout(5):
            while len(self.messages) < number:
                self._news.clear()
                await self._news.wait()
        return self.messages

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while size := await reader.readuntil(b" "):
                self.messages.append(await reader.readexactly(int(size)))
                self._news.set()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
        finally:
            self._writers.discard(writer)


class DatagramReceiver(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.messages: list[bytes] = []

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.messages.append(data)


@asynccontextmanager
async def datagrams() -> AsyncIterator[tuple[int, list[bytes]]]:
    loop = asyncio.get_running_loop()
    transport, receiver = await loop.create_datagram_endpoint(DatagramReceiver, local_addr=("127.0.0.1", 0))
    try:
        yield transport.get_extra_info("sockname")[1], receiver.messages
    finally:
        transport.close()
