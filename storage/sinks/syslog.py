"""Decisions to a syslog receiver: RFC 5424 messages over UDP (RFC 5426), TCP (RFC 6587) or TLS (RFC 5425)."""

from __future__ import annotations

import asyncio
import fcntl
import socket
import ssl
import struct
import termios
from collections.abc import Sequence
from typing import Final, Literal

from pydantic import Field, FilePath

from detectors.errors import StorageError, UnavailableError
from storage.published import JsonObject, published_rows
from storage.sink import SinkFactory, SinkSettings, Surroundings
from storage.sinks._rfc5424 import syslog_message
from storage.types import DecisionRecord

_Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_LOOK_AGAIN: Final = 0.005  # seconds between two looks at what the other side has not acknowledged


class SyslogSettings(SinkSettings):
    """`max_datagram`: bytes; RFC 5426 wants receivers to take 2048. `sd_id` names the structured data: 32473 is the
    enterprise number for examples, put your own.
    """

    host: str
    port: int = Field(default=514, ge=1, le=65535)
    transport: Literal["udp", "tcp", "tls"] = "tls"
    facility: int = Field(default=16, ge=0, le=23)  # local0
    sd_id: str = Field(default="promptshield@32473", pattern=r"^[a-zA-Z0-9._-]{1,20}@[0-9.]{1,11}$")
    max_datagram: int = Field(default=2048, ge=1024, le=65507)
    ca_file: FilePath | None = None
    timeout: float = Field(default=10, gt=0, le=60)


class SyslogSink:
    """Nobody acknowledges a syslog message. Over TCP and TLS `write` returns once the other machine has received every
    byte; what its receiver then does with them, and over UDP whether they arrive at all, cannot be known.
    A batch that comes again is known by the decision's id, in the structured data and in the message.
    """

    def __init__(self, settings: SyslogSettings) -> None:
        self._settings = settings
        self._connection: _Connection | None = None

    @property
    def name(self) -> str:
        return self._settings.label

    async def write(self, records: Sequence[DecisionRecord]) -> None:
        messages = [self._message(row) for row in published_rows(records)]
        try:
            async with asyncio.timeout(self._settings.timeout):
                if self._settings.transport == "udp":
                    await self._send_datagrams(messages)
                else:
                    await self._send_stream(b"".join(b"%d %b" % (len(message), message) for message in messages))
        except (OSError, TimeoutError) as exc:
            self._hang_up()
            raise UnavailableError(f"sink {self.name}: {type(exc).__name__}") from exc

    async def close(self) -> None:
        self._hang_up()

    def _message(self, row: JsonObject) -> bytes:
        limit = self._settings.max_datagram if self._settings.transport == "udp" else None
        try:
            return syslog_message(row, self._settings.facility, self._settings.sd_id, limit)
        except (TypeError, ValueError) as exc:
            raise StorageError(f"a decision cannot be a syslog message: {type(exc).__name__}") from exc

    async def _send_datagrams(self, messages: Sequence[bytes]) -> None:
        address = (self._settings.host, self._settings.port)
        transport, errors = await asyncio.get_running_loop().create_datagram_endpoint(_Errors, remote_addr=address)
        try:
            for message in messages:
                transport.sendto(message)
            # A machine without a receiver says so, if it is near enough.
            await asyncio.sleep(_LOOK_AGAIN)
        finally:
            transport.close()
        if errors.first is not None:
            raise errors.first

    async def _send_stream(self, data: bytes) -> None:
        reader, writer = self._connection = await self._connected()
        writer.write(data)
        await writer.drain()
        while _unacknowledged(writer):  # noqa: ASYNC110 - the kernel offers nothing to wait on
            await asyncio.sleep(_LOOK_AGAIN)
        if _is_over(reader, writer):
            raise ConnectionResetError

    async def _connected(self) -> _Connection:
        if self._connection is not None and not _is_over(*self._connection):
            return self._connection
        self._hang_up()
        settings = self._settings
        context = ssl.create_default_context(cafile=settings.ca_file) if settings.transport == "tls" else None
        reader, writer = await asyncio.open_connection(settings.host, settings.port, ssl=context)
        writer.transport.set_write_buffer_limits(high=0)  # drain() then waits for the kernel to have taken everything
        return reader, writer

    def _hang_up(self) -> None:
        if self._connection is not None:
            (_, writer), self._connection = self._connection, None
            writer.transport.abort()


class _Errors(asyncio.DatagramProtocol):
    """Keeps the first error that the network reports."""

    def __init__(self) -> None:
        self.first: Exception | None = None

    def error_received(self, exc: Exception) -> None:
        self.first = self.first or exc


def _unacknowledged(writer: asyncio.StreamWriter) -> int:
    """Return how many bytes the other machine has not acknowledged (Linux: SIOCOUTQ, which is TIOCOUTQ)."""
    size = fcntl.ioctl(writer.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
    return int(struct.unpack("i", size)[0])


def _is_over(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """A receiver that hangs up, politely or not, may not have read what its machine acknowledged."""
    broken = writer.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    return bool(broken) or reader.at_eof() or reader.exception() is not None or writer.is_closing()


def _build(settings: SyslogSettings, _surroundings: Surroundings) -> SyslogSink:
    return SyslogSink(settings)


SINK: Final[SinkFactory[SyslogSettings]] = SinkFactory("syslog", SyslogSettings, _build)
