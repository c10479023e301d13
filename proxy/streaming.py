"""A streamed answer under the screen: events in, events out, and nothing leaves that was not judged."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from dataclasses import replace
from enum import StrEnum
from typing import Final

from detectors.glance import UNSEEN, Seen
from detectors.types import Coverage, Direction, Kind, Origin, Place, Segment
from detectors.window import Window
from policies.types import BlockAs, Edit, Pseudonym, StopReason, Verdict
from proxy.codec import Frame, JsonObject, Piece, Refusal, StreamReader, Usage
from proxy.foreseeing import Said
from proxy.guarding import take_back
from proxy.json_document import JsonError
from proxy.pointer import UneditableError, apply_edits, edit_text
from proxy.restoration import Restoration
from proxy.screen import Screened
from proxy.sse import SseError
from proxy.tally import Tally
from proxy.walk import Walk

Judge = Callable[[Walk], Awaitable[Screened]]
Glancing = Callable[[Segment, str], Awaitable[Seen]]
Heard = Callable[[str, int, Walk, Verdict], None]
Listener = Callable[[str, str], None]  # is told of a channel and of what is let go on it
Reveal = Callable[[JsonObject], Awaitable[None]]
_HELD_IN_ALL: Final = 1 << 20  # characters over all channels of one stream
_MOST_CHANNELS: Final = 512


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
    was judged without them. The event that ends the stream is yielded last, by itself.
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
        glance: Glancing = left_to_the_judge,
    ) -> None:
        self._glance = glance
        self._listeners: list[Listener] = []
        self._restoration = restoration
        self._enforcing, self._heard, self._reveal = enforcing, heard, reveal
        self._reader, self._judge, self._refuse, self._block_as = reader, judge, refuse, block_as
        self._windows: dict[str, Window] = {}
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
                    ready.append(ending)
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
        except _StoppedError as stop:
            end, ending = self._stopped(stop.verdict)
        if any(ready):
            yield b"".join(ready)
        self.end = end
        yield ending

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
        for piece in frame.pieces:
            self._waits_since.setdefault(piece.channel, time.perf_counter())
            released = await self._push(piece, ends=piece.channel.startswith(frame.ends))
            if released:
                self._end_wait(piece.channel)
                ready += self._told(piece.channel, released, final=False)
        for channel in self._ending(frame.ends) if frame.ends else ():
            rest = await self._rest_of(channel)
            self._end_wait(channel)
            ready += self._told(channel, rest, final=True)
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
        return list(dict.fromkeys([*(name for name in self._windows if name.startswith(prefixes)), *held]))

    async def _rest_of(self, channel: str) -> str:
        if channel not in self._windows:
            return ""
        released = await self._release(channel, final=True)
        del self._windows[channel]
        return released

    async def _push(self, piece: Piece, *, ends: bool) -> str:
        window = self._windows.get(piece.channel)
        if window is None:
            window = self._windows[piece.channel] = Window(whole=piece.whole)
        window.push(piece.text)
        held = window.held if len(self._windows) == 1 else sum(w.held for w in self._windows.values())
        if window.overgrown or held > _HELD_IN_ALL or len(self._windows) > _MOST_CHANNELS:
            if not self._enforcing:
                released = await self._release(piece.channel, final=True)
                del self._windows[piece.channel]
                return released
            # Nobody can say any more what this will become, and releasing it would be releasing it unread.
            raise _StoppedError((await self._judge_text(piece.channel, window)).as_stop(StopReason.UNSCANNED))
        return await self._look(piece.channel, window) if window.due and not ends else ""

    async def _look(self, channel: str, window: Window) -> str:
        seen = await self._glance(_segment(channel, window.newest), window.before)
        if seen.plain and seen.settled is not None and not window.to_be_judged:
            return window.let_go(seen.settled)
        return await self._release(channel, settled=seen.settled)

    async def _release(self, channel: str, *, final: bool = False, settled: int | None = None) -> str:
        window = self._windows[channel]
        verdict = await self._judge_text(channel, window)
        edits = verdict.effect.edits
        if window.whole:
            try:
                return edit_text(window.text, edits)
            except UneditableError as exc:
                raise _StoppedError(verdict.as_stop(StopReason.FOUND)) from exc
        return window.release([(edit.span, _mask(edit)) for edit in edits], final=final, settled=settled)

    async def _judge_text(self, channel: str, window: Window) -> Verdict:
        walk = Walk(Direction.RESPONSE, frozenset())
        walk.segments.append(_segment(channel, window.text))
        return await self._judged(walk, channel, window.base)

    async def _screen_rest(self, frame: Frame) -> None:
        """Everything of an event that is no running text is judged with the event, and edited in place."""
        if not (frame.rest.segments or frame.rest.unscanned):
            return
        take_back(frame.document, frame.rest)
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

    def _stopped(self, verdict: Verdict) -> tuple[StreamEnd, bytes]:
        # Its findings and coverage were added with its window or event.
        self.tally.add(Screened(replace(verdict, judged=(), coverage=Coverage()), ()), "", 0)
        if verdict.stop_reason is StopReason.UNINSPECTED:
            event = self._reader.failure(503, "inspection_unavailable", "The answer could not be inspected.")
            return StreamEnd.UNINSPECTED, event
        return StreamEnd.CUT, self._reader.cut(self._refuse(verdict), self._block_as)


def _segment(channel: str, text: str) -> Segment:
    return Segment(Direction.RESPONSE, Origin.ASSISTANT, Kind.TEXT, Place.VALUE, f"/{channel}", text)


class _StoppedError(Exception):
    """A verdict that ends the stream here."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict
        super().__init__(verdict.stop_reason)


def _mask(edit: Edit) -> str:
    return f"[{edit.replacement.kind}]" if isinstance(edit.replacement, Pseudonym) else edit.replacement
