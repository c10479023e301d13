"""A streamed answer under the screen: events in, events out, and nothing leaves that was not judged."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from dataclasses import replace
from enum import StrEnum

from detectors.glance import UNSEEN, Seen
from detectors.types import Coverage, Segment
from policies.types import BlockAs, StopReason, Verdict
from proxy.bodies.json_document import JsonError
from proxy.bodies.pointer import UneditableError, apply_edits
from proxy.bodies.walk import Walk
from proxy.codec import Frame, JsonObject, Refusal, StreamReader, Usage
from proxy.foreseeing import Said
from proxy.guarding import take_back
from proxy.pseudonyms.restoration import Restoration
from proxy.screen import Screened
from proxy.streams.held_texts import Glancing, HeldTexts, StoppedError
from proxy.streams.sse import SseError
from proxy.streams.tally import Tally

Judge = Callable[[Walk], Awaitable[Screened]]
Heard = Callable[[str, int, Walk, Verdict], None]
Listener = Callable[[str, str], None]  # is told of a channel and of what is let go on it
Reveal = Callable[[JsonObject], Awaitable[None]]


def _nobody(_channel: str, _base: int, _walk: Walk, _verdict: Verdict) -> None:
    return


async def left_to_the_judge(_segment: Segment, _before: str) -> Seen:
    """See nothing, so that all is judged."""
    return UNSEEN


async def _nothing(_document: JsonObject) -> None:
    return


class StreamEnd(StrEnum):
    """How a stream ended: by its own marker, cut by a verdict, uninspected, broken off, or not yet."""

    OPEN = "open"
    FINISHED = "finished"
    CUT = "cut"
    UNINSPECTED = "uninspected"
    BROKEN = "broken"


class StreamScreen:
    """Screens one stream. `run` yields what may be sent; `end`, `usage` and `tally` then say how it went.

    `glance` is asked of each new piece of text whether anything is in it at all; without it everything is judged, and
    256 characters stay behind. `refuse` makes the refusal for a verdict; `heard` is told of every text that was judged:
    its channel (empty for the rest of an event), where in the channel it begins, the walk and the verdict. `reveal` is
    awaited with each event's document before that is sent. `restoration` puts values back into what
    was judged without them. The event that ends the stream is yielded last, by itself; where the answer will be
    `weighed_whole` then, what tells how it ended waits for that.
    """

    def __init__(
        self,
        reader: StreamReader,
        judge: Judge,
        refuse: Callable[[Verdict], Refusal],
        block_as: BlockAs,
        heard: Heard = _nobody,
        reveal: Reveal = _nothing,
        restoration: Restoration | None = None,
        *,
        enforcing: bool = True,
        weighed_whole: bool = False,
        glance: Glancing = left_to_the_judge,
    ) -> None:
        self._listeners: list[Listener] = []
        self._restoration = restoration
        self._heard, self._reveal = heard, reveal
        self._reader, self._judge, self._refuse, self._block_as = reader, judge, refuse, block_as
        self._texts = HeldTexts(reader.strand, self._judged, glance, enforcing=enforcing)
        self._weighed_whole = weighed_whole
        self._farewell: list[bytes] = []
        self._waits_since: dict[str, float] = {}
        self.end, self.usage, self.tally, self.held = StreamEnd.OPEN, Usage(), Tally(), 0.0
        self.said = Said()

    async def run(self, chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """Yield the screened stream, what came together together. Raises UpstreamError where the upstream broke off."""
        ready: list[bytes] = []
        end, ending = StreamEnd.OPEN, b""
        try:
            async for frames in self._frames(chunks):
                for frame in frames:
                    ending = await self._screen(frame, ready)
                    if frame.last or frame.failed:
                        end = StreamEnd.FINISHED if frame.last else StreamEnd.BROKEN
                        break
                    counts = bool(self._farewell) and frame.usage is not None and not frame.pieces
                    late = self._weighed_whole and (frame.finishing or counts)
                    (self._farewell if late else ready).append(ending)
                if any(ready):
                    yield b"".join(ready)
                ready.clear()
                if end is not StreamEnd.OPEN:
                    break
            else:
                end, ending = self._broken("upstream_incomplete", "The upstream's stream ended before its end.")
        except (SseError, JsonError):
            # Never passed on raw: what cannot be read cannot be judged.
            end, ending = self._broken("upstream_protocol_error", "The upstream sent an unreadable event.")
        except StoppedError as stop:
            end, ending = self._stopped(stop.verdict)
        if any(ready):
            yield b"".join(ready)
        self.end = end
        yield b"".join([*self._farewell, ending]) if end is StreamEnd.FINISHED else ending

    def listen(self, listener: Listener) -> None:
        """Have somebody hear each text that may leave, with its channel, before values are put back into it."""
        self._listeners.append(listener)

    @property
    def ended(self) -> bool:
        return self.end is not StreamEnd.OPEN

    def stop(self, verdict: Verdict) -> bytes:
        """Return the event that ends the stream for a verdict on what has been let go before."""
        self.end, event = self._stopped(verdict)
        return event

    def weigh(self, verdict: Verdict, ending: bytes) -> bytes:
        """Take in the verdict on the answer as a whole, now that it is over; return the event that ends it then."""
        self.tally.add(Screened(verdict, ()), "", 0)
        if verdict.effect.stop:
            self.end, ending = self._stopped(verdict)
        return ending

    def broken(self, code: str, message: str) -> bytes:
        """Return the event that says the stream broke off; there is no end marker after it."""
        self.end, event = self._broken(code, message)
        return event

    def _broken(self, code: str, message: str) -> tuple[StreamEnd, bytes]:
        return StreamEnd.BROKEN, self._reader.failure(502, code, message)

    async def _frames(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[Iterable[Frame]]:
        """Yield what each chunk completes, then what the end of the stream does."""
        parser, read = self._reader.parser(), self._reader.read
        async for chunk in chunks:
            yield (read(event.event, event.data) for event in parser.feed(chunk))
        yield (read(event.event, event.data) for event in parser.finish())
        last = self._reader.finish()
        if last is not None:
            yield (last,)

    async def _screen(self, frame: Frame, ready: list[bytes]) -> bytes:
        """Add what a frame releases to what is `ready`; return its own event, empty where nothing is left of it."""
        self.usage = frame.usage or self.usage
        for channel in self._ending(frame.over) if frame.over else ():
            ready += await self._finish(channel)
        for piece in frame.pieces:
            self._waits_since.setdefault(piece.channel, time.perf_counter())
            released = await self._texts.push(piece, ends=piece.channel.startswith(frame.ends))
            if released:
                self._end_wait(piece.channel)
                ready += self._told(piece.channel, released, final=False)
        for channel in self._ending(frame.ends) if frame.ends else ():
            ready += await self._finish(channel)
        if frame.bare and not frame.last:
            return b""
        await self._screen_rest(frame)
        await self._reveal(frame.document)
        if self._restoration is not None:
            self._restoration.restore(frame.document, self._reader.layout)
        return self._reader.write(frame)

    def _end_wait(self, channel: str) -> None:
        """Note how long a channel's text waited; what is left of it waits from now on."""
        since = self._waits_since.pop(channel, None)
        if since is not None:
            self.held = max(self.held, time.perf_counter() - since)

    def _told(self, channel: str, released: str, *, final: bool) -> Iterator[bytes]:
        """Yield what carries a text that was released, with the values that are put back into it."""
        if released:
            self._texts.sent(channel, released)
            self._reader.released(channel, released)
            for listener in self._listeners:
                listener(channel, released)
        if self._restoration is not None:
            released = self._restoration.push(self._reader, channel, released, final=final)
        if released:
            self.said.add(channel, released)
            yield self._reader.text_event(channel, released)

    def _ending(self, prefixes: tuple[str, ...]) -> list[str]:
        held = self._restoration.held(prefixes) if self._restoration is not None else []
        return list(dict.fromkeys([*self._texts.held(prefixes), *held]))

    async def _finish(self, channel: str) -> list[bytes]:
        rest = await self._texts.rest_of(channel)
        self._end_wait(channel)
        return list(self._told(channel, rest, final=True))

    async def _screen_rest(self, frame: Frame) -> None:
        """Everything of an event that is no running text is judged with the event, and edited in place."""
        if not (frame.rest.segments or frame.rest.unscanned):
            return
        take_back(frame.document, frame.rest)
        verdict = await self._judged(frame.rest, "", 0)
        try:
            apply_edits(frame.document, verdict.effect.edits)
        except UneditableError as exc:
            raise StoppedError(verdict.as_stop(StopReason.FOUND)) from exc

    async def _judged(self, walk: Walk, channel: str, base: int) -> Verdict:
        screened = await self._judge(walk)
        self.tally.add(screened, channel, base)
        self._heard(channel, base, walk, screened.verdict)
        if screened.verdict.effect.stop:
            raise StoppedError(screened.verdict)
        return screened.verdict

    def _stopped(self, verdict: Verdict) -> tuple[StreamEnd, bytes]:
        # Its findings and coverage were added with its window or event.
        self.tally.add(Screened(replace(verdict, judged=(), coverage=Coverage()), ()), "", 0)
        if verdict.stop_reason is StopReason.UNINSPECTED:
            event = self._reader.failure(503, "inspection_unavailable", "The answer could not be inspected.")
            return StreamEnd.UNINSPECTED, event
        return StreamEnd.CUT, self._reader.cut(self._refuse(verdict), self._block_as)
