"""A streamed answer under the screen: events in, events out, and nothing leaves that was not judged."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from enum import StrEnum
from typing import Final

from detectors.types import Coverage, Direction, Kind, Origin, Place, Segment
from detectors.window import Window
from policies.types import BlockAs, Edit, Pseudonym, StopReason, Verdict
from proxy.codec import EventParser, Frame, JsonObject, Piece, Refusal, StreamReader, Usage
from proxy.json_document import JsonError
from proxy.pointer import UneditableError, apply_edits, edit_text
from proxy.restoration import Restoration
from proxy.screen import Screened
from proxy.sse import SseError, SseEvent
from proxy.tally import Tally
from proxy.walk import Walk

Judge = Callable[[Walk], Awaitable[Screened]]
Heard = Callable[[str, int, Walk, Verdict], None]
Reveal = Callable[[JsonObject], Awaitable[None]]
_HELD_IN_ALL: Final = 1 << 20  # characters over all channels of one stream
_MOST_CHANNELS: Final = 512


def _nobody(_channel: str, _base: int, _walk: Walk, _verdict: Verdict) -> None:
    return


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

    `refuse` makes the refusal for a verdict; `heard` is told of every text that was judged: its channel (empty for the
    rest of an event), where in the channel it begins, the walk and the verdict. `reveal` is awaited with each event's
    document before that is sent. `restoration` puts values back into what was judged without them. The event that ends
    the stream is yielded last and by itself.
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
    ) -> None:
        self._restoration = restoration
        self._enforcing, self._heard, self._reveal = enforcing, heard, reveal
        self._reader, self._judge, self._refuse, self._block_as = reader, judge, refuse, block_as
        self._windows: dict[str, Window] = {}
        self.end, self.usage, self.tally = StreamEnd.OPEN, Usage(), Tally()

    async def run(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yield the screened stream. Raises UpstreamError where the upstream broke off."""
        try:
            async for event in _events(self._reader.parser(), chunks):
                async for data in self._screen(self._reader.read(event.event, event.data)):
                    yield data
                if self.end is not StreamEnd.OPEN:
                    return
            last = self._reader.finish()
            if last is not None:
                async for data in self._screen(last):
                    yield data
                return
        except (SseError, JsonError):
            # Never passed on raw: what cannot be read cannot be judged.
            yield self.broken("upstream_protocol_error", "The upstream sent an unreadable event.")
        except _StoppedError as stop:
            yield self._stopped(stop.verdict)
        else:
            yield self.broken("upstream_incomplete", "The upstream's stream ended before its end.")

    def broken(self, code: str, message: str) -> bytes:
        """Return the event that says the stream broke off; there is no end marker after it."""
        self.end = StreamEnd.BROKEN
        return self._reader.failure(502, code, message)

    async def _screen(self, frame: Frame) -> AsyncIterator[bytes]:
        self.usage = frame.usage or self.usage
        for piece in frame.pieces:
            released = await self._push(piece)
            for data in self._told(piece.channel, released, final=False) if released else ():
                yield data
        for channel in self._ending(frame.ends) if frame.ends else ():
            released = await self._rest_of(channel)
            for data in self._told(channel, released, final=True):
                yield data
        if frame.last:
            self.end = StreamEnd.FINISHED
        elif frame.failed:
            self.end = StreamEnd.BROKEN
        if not frame.bare or frame.last:
            await self._screen_rest(frame)
            await self._reveal(frame.document)
            if self._restoration is not None:
                self._restoration.restore(frame.document, self._reader.layout)
            yield self._reader.write(frame)

    def _told(self, channel: str, released: str, *, final: bool) -> Iterator[bytes]:
        """Yield what carries a text that was released, with the values that are put back into it."""
        if released:
            self._reader.released(channel, released)
        if self._restoration is not None:
            released = self._restoration.push(self._reader, channel, released, final=final)
        if released:
            yield self._reader.text_event(channel, released)

    def _ending(self, prefixes: tuple[str, ...]) -> list[str]:
        held = self._restoration.held(prefixes) if self._restoration is not None else []
        return list(dict.fromkeys([*(name for name in self._windows if name.startswith(prefixes)), *held]))

    async def _rest_of(self, channel: str) -> str:
        if channel not in self._windows:
            return ""
        released = await self._release(channel, final=True)
        del self._windows[channel]
        return released

    async def _push(self, piece: Piece) -> str:
        window = self._windows.setdefault(piece.channel, Window(whole=piece.whole))
        window.push(piece.text)
        held = sum(w.held for w in self._windows.values())
        if window.overgrown or held > _HELD_IN_ALL or len(self._windows) > _MOST_CHANNELS:
            if not self._enforcing:
                released = await self._release(piece.channel, final=True)
                del self._windows[piece.channel]
                return released
            # Nobody can say any more what this will become, and releasing it would be releasing it unread.
            raise _StoppedError((await self._judge_text(piece.channel, window)).as_stop(StopReason.UNSCANNED))
        return await self._release(piece.channel, final=False) if window.due and not window.whole else ""

    async def _release(self, channel: str, *, final: bool) -> str:
        window = self._windows[channel]
        verdict = await self._judge_text(channel, window)
        edits = verdict.effect.edits
        if window.whole:
            try:
                return edit_text(window.text, edits)
            except UneditableError as exc:
                raise _StoppedError(verdict.as_stop(StopReason.FOUND)) from exc
        return window.release([(edit.span, _mask(edit)) for edit in edits], final=final)

    async def _judge_text(self, channel: str, window: Window) -> Verdict:
        walk = Walk(Direction.RESPONSE, frozenset())
        pointer = f"/{channel}"
        walk.segments.append(
            Segment(Direction.RESPONSE, Origin.ASSISTANT, Kind.TEXT, Place.VALUE, pointer, window.text)
        )
        return await self._judged(walk, channel, window.base)

    async def _screen_rest(self, frame: Frame) -> None:
        """Everything of an event that is no running text is judged with the event, and edited in place."""
        if not (frame.rest.segments or frame.rest.unscanned):
            return
        verdict = await self._judged(frame.rest, "", 0)
        try:
            apply_edits(frame.document, verdict.effect.edits)
        except UneditableError as exc:
            raise _StoppedError(verdict.as_stop(StopReason.FOUND)) from exc

    async def _judged(self, walk: Walk, channel: str, base: int) -> Verdict:
        screened = await self._judge(walk)
        self.tally.add(screened, channel, base)
        self._heard(channel, base, walk, screened.verdict)
        if screened.verdict.effect.stop:
            raise _StoppedError(screened.verdict)
        return screened.verdict

    def _stopped(self, verdict: Verdict) -> bytes:
        # Its findings and coverage were added with its window or event.
        self.tally.add(Screened(replace(verdict, judged=(), coverage=Coverage()), ()), "", 0)
        if verdict.stop_reason is StopReason.UNINSPECTED:
            self.end = StreamEnd.UNINSPECTED
            return self._reader.failure(503, "inspection_unavailable", "The answer could not be inspected.")
        self.end = StreamEnd.CUT
        return self._reader.cut(self._refuse(verdict), self._block_as)


class _StoppedError(Exception):
    """A verdict that ends the stream here."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict
        super().__init__(verdict.stop_reason)


def _mask(edit: Edit) -> str:
    return f"[{edit.replacement.kind}]" if isinstance(edit.replacement, Pseudonym) else edit.replacement


async def _events(parser: EventParser, chunks: AsyncIterator[bytes]) -> AsyncIterator[SseEvent]:
    async for chunk in chunks:
        for event in parser.feed(chunk):
            yield event
    for event in parser.finish():
        yield event
