"""A stream whose text slow detectors read, too: it goes out meanwhile or waits, and their word still ends it."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Final, NamedTuple

from policies.judging import Slow, SlowStreams
from policies.types import Verdict
from proxy.streams.slow_reading import SlowReading
from proxy.streams.streaming import StreamScreen

_MOST_HELD: Final = 1 << 20  # bytes; with more of them nothing more is taken from the upstream


class _Piece(NamedTuple):
    """What may be sent once all windows up to `number` were read, or when `due` comes (seconds of the clock)."""

    data: bytes
    number: int
    due: float


class PacedStream:
    """Runs a screen and sends what it lets go at once (`release`) or when it was read, at the latest after `max_wait`
    (`hold`). Everything is read before the event that ends the stream, whatever was sent before.
    """

    def __init__(
        self,
        screen: StreamScreen,
        reading: SlowReading,
        terms: SlowStreams,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._screen, self._reading, self._clock = screen, reading, clock
        self._wait = terms.max_wait if terms.slow is Slow.HOLD else 0.0
        self._held: deque[_Piece] = deque()
        self.ended = False
        screen.listen(reading.hear)

    async def run(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yield as the screen does; the event that ends the stream last, by itself. Raises UpstreamError as it does."""
        source = self._screen.run(chunks)
        coming: asyncio.Task[bytes] | None = None
        ending: asyncio.Task[bytes] | None = None
        try:
            while ending is None and self._verdict() is None:
                if coming is None and sum(len(piece.data) for piece in self._held) < _MOST_HELD:
                    coming = asyncio.ensure_future(anext(source))
                await self._something(coming)
                if coming is not None and coming.done():
                    ending, coming = self._kept_or_ending(coming), None
                if self._may_go():
                    yield self._let_go()
            if ending is not None:
                async for data in self._rest():
                    yield data
            verdict, self.ended = self._verdict(), True
            if verdict is not None:
                yield self._screen.stop(verdict)
            elif ending is not None:
                yield ending.result()
        finally:
            if coming is not None:
                coming.cancel()
                await asyncio.gather(coming, return_exceptions=True)
            await source.aclose()
            await self._reading.close()

    def _kept_or_ending(self, came: asyncio.Task[bytes]) -> asyncio.Task[bytes] | None:
        """Hold what came, or return it if it is how the stream ends."""
        if came.exception() is not None or self._screen.ended:
            return came
        self._held.append(_Piece(came.result(), self._reading.newest, self._clock() + self._wait))
        return None

    def _verdict(self) -> Verdict | None:
        return self._reading.verdict

    def _may_go(self) -> bool:
        return bool(self._held) and self._verdict() is None and self._is_due(self._held[0])

    def _is_due(self, piece: _Piece) -> bool:
        return piece.number <= self._reading.read_through or self._clock() >= piece.due

    def _let_go(self) -> bytes:
        parts = []
        while self._held and self._is_due(self._held[0]):
            parts.append(self._held.popleft().data)
        return b"".join(parts)

    async def _rest(self) -> AsyncIterator[bytes]:
        """Have all that is left read, sending what may go; without a verdict that stops, nothing is held any more."""
        self._reading.finish()
        while self._reading.tasks and self._verdict() is None:
            if self._may_go():
                yield self._let_go()
            await self._something(None)
        if self._verdict() is None and self._held:
            yield b"".join(piece.data for piece in self._held)
            self._held.clear()

    async def _something(self, coming: asyncio.Task[bytes] | None) -> None:
        """Return when more came, a window was read, or the first piece that waits is due."""
        waiting: set[asyncio.Task[bytes] | asyncio.Task[None]] = {*self._reading.tasks}
        if coming is not None:
            waiting.add(coming)
        timeout = max(0.0, self._held[0].due - self._clock()) if self._held else None
        if waiting:
            await asyncio.wait(waiting, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        elif timeout:
            await asyncio.sleep(timeout)
        if self._reading.failure is not None:
            raise self._reading.failure
