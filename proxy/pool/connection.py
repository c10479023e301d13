"""One connection to an upstream: who is being answered on it, and what happens when it falls silent or breaks."""

from __future__ import annotations

import asyncio
import select
from typing import Final, Protocol, cast

from proxy.pool.answer_reader import AnswerReader
from proxy.pool.deadline import Deadline

MOST_UNREAD: Final = 256 << 10


class Owner(Protocol):
    """Who keeps a connection between two requests."""

    def rest(self, connection: Connection) -> None:
        """The answer is whole and the connection may carry the next request."""

    def lost(self, connection: Connection) -> None:
        """The connection is gone; called once at most (uvloop is silent about one whose opening was cancelled)."""


class Connection(asyncio.Protocol):
    """Carries one request at a time. The reader of its answer is the token of who may speak for it:
    once the answer has ended, a call with that reader does nothing, as the connection may be serving another.
    """

    __slots__ = ("_deadline", "_loop", "_owner", "_paused", "_poll", "_reader", "_transport", "_waiter")

    _deadline: Deadline
    _transport: asyncio.Transport

    def __init__(self, owner: Owner) -> None:
        self._owner, self._loop, self._poll = owner, asyncio.get_running_loop(), select.poll()
        self._reader: AnswerReader | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._deadline = Deadline(self._loop, self._expired)
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    @property
    def closing(self) -> bool:
        return self._transport.is_closing()

    @property
    def quiet(self) -> bool:
        """Whether an idle connection is open and nothing has arrived on it, not even what the loop has yet to see."""
        return not (self.closing or self._poll.poll(0))

    async def ask(self, request: bytes, reader: AnswerReader, seconds: float) -> None:
        """Write a request and wait until `reader` has the answer's head or has ended."""
        if self.closing:
            reader.fail("reset")
            return
        self._reader = reader
        self._transport.write(request)
        await self._news(reader, seconds)

    async def more(self, reader: AnswerReader, seconds: float) -> None:
        """Wait until `reader` has unread body or has ended."""
        if self._reader is not reader:
            return
        self._resume()
        await self._news(reader, seconds)

    def drop(self, reader: AnswerReader) -> None:
        """Cut the connection, at once and without ceremony, unless `reader` has ended: nobody pays for unread text."""
        if self._reader is reader:
            reader.fail("reset")
            self._settle(reader)

    def abort(self) -> None:
        self._transport.abort()

    async def _news(self, reader: AnswerReader, seconds: float) -> None:
        waiter = self._waiter = self._loop.create_future()
        self._deadline.start(seconds)
        try:
            await waiter
        except asyncio.CancelledError:
            self.drop(reader)
            raise

    def data_received(self, data: bytes) -> None:
        reader = self._reader
        if reader is None:
            self._transport.abort()  # nobody asked: whatever this is must not become an answer
            return
        headless = reader.headers is None
        reader.feed(data)
        if reader.ended:
            self._settle(reader)
            return
        if reader.unread > MOST_UNREAD and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        # Half a head or a chunk's size is no news and does not start the clock again.
        if reader.unread or (headless and reader.headers is not None):
            self._wake()

    def eof_received(self) -> None:
        if self._reader is not None:
            self._reader.end()
            self._settle(self._reader)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._reader is not None:
            self._reader.fail("reset")
            self._settle(self._reader)
        self._deadline.close()
        self._owner.lost(self)

    def _expired(self) -> None:
        if self._reader is not None:
            self._reader.fail("timeout")
            self._settle(self._reader)

    def _settle(self, reader: AnswerReader) -> None:
        """The answer has ended: to rest if all is well, else the connection ends too."""
        self._reader = None
        self._wake()
        transport = self._transport
        # An answer that came before all of the request was sent leaves a rest that would begin the next request.
        if reader.reusable and not (transport.is_closing() or transport.get_write_buffer_size()):
            self._resume()  # a transport may deliver more after it was paused, even the end
            self._owner.rest(self)
        else:
            transport.abort()

    def _resume(self) -> None:
        if self._paused:
            self._paused = False
            self._transport.resume_reading()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        self._deadline.stop()
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
