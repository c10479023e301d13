"""An upstream that writes exactly the bytes a test tells it to, and remembers what reached it."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from proxy.settings import Timeouts, UpstreamSettings

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class Call:
    """One request as it arrived, and the connection to answer it on."""

    head: bytes
    body: bytes
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def drip(self, data: bytes) -> None:
        """Say it byte by byte."""
        for number in range(len(data)):
            await self.say(data[number : number + 1])
            await asyncio.sleep(0)

    def hang_up(self) -> None:
        self.writer.close()

    def hang_up_unseen(self) -> None:
        """Send FIN past the event loop: it is in the other side's kernel before anybody's loop turns."""
        with socket.socket(fileno=os.dup(self.writer.get_extra_info("socket").fileno())) as connected:
            connected.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Hang up with RST instead of FIN."""
        connected = self.writer.get_extra_info("socket")
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def gone(self) -> None:
        """Wait until the other side has hung up."""
        while await self.reader.read(65536):
            pass


Script = Callable[[Call], Awaitable[None]]


def says(data: bytes, *, dripping: bool = False, hang_up: bool = False) -> Script:
    """Answer with these bytes, at once or one by one, and hang up or wait for the next request."""

    async def script(call: Call) -> None:
        await (call.drip(data) if dripping else call.say(data))
        if hang_up:
            call.hang_up()

    return script


@dataclass
class ScriptedUpstream:
    """Answers request number n with script n, and with the last script from then on."""

    scripts: list[Script] = field(default_factory=lambda: [says(OK)])
    calls: list[Call] = field(default_factory=list)
    accepted: int = 0
    tls: ssl.SSLContext | None = None
    host: str = "127.0.0.1"

    def script(self, *scripts: Script) -> None:
        self.scripts = list(scripts)

    @property
    def port(self) -> int:
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def settings(self, host: str = "127.0.0.1", path: str = "/v1", **timeouts: float) -> UpstreamSettings:
        scheme = "https" if self.tls else "http"
        return UpstreamSettings(
            name="scripted", base_url=f"{scheme}://{host}:{self.port}{path}", timeouts=Timeouts(**timeouts)
        )

    async def __aenter__(self) -> Self:
        self._at_work: set[asyncio.Task[None] | None] = set()
        self._server = await asyncio.start_server(self._accept, self.host, 0, ssl=self.tls)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.close()
        tasks = [task for task in self._at_work if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self._at_work.add(asyncio.current_task())
        try:
            while not writer.is_closing():
                await self._answer_one(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the peer has gone, or the test is over
        finally:
            writer.transport.abort()

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        size = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
        body = await reader.readexactly(size)
        call = Call(head, body, reader, writer)
        self.calls.append(call)
        await self.scripts[min(len(self.calls), len(self.scripts)) - 1](call)


async def eventually(claim: Callable[[], bool]) -> None:
    """Wait until a claim holds that no event announces, such as the count of open files. Raises TimeoutError."""
    async with asyncio.timeout(1):
        while not claim():  # noqa: ASYNC110
            await asyncio.sleep(0.001)
