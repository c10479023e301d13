"""The running texts of a stream, each in its window: what may go out, and what stays until more is known."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from detectors.glance import Seen
from detectors.seams import REACH, Seam
from detectors.types import Direction, Kind, Origin, Place, Segment
from detectors.window import Window
from policies.types import Edit, Pseudonym, StopReason, Verdict
from proxy.bodies.pointer import UneditableError, edit_text
from proxy.bodies.walk import Walk
from proxy.codec import Piece
from proxy.streams.joints import Joints, seam_of

Glancing = Callable[[Segment, str], Awaitable[Seen]]
Judged = Callable[[Walk, str, int], Awaitable[Verdict]]
_HELD_IN_ALL: Final = 1 << 20  # characters over all channels of one stream
_MOST_CHANNELS: Final = 512


class StoppedError(Exception):
    """A verdict that ends the stream here."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict
        super().__init__(verdict.stop_reason)


class HeldTexts:
    """`judged` has a text judged, as part of a channel (empty: of none) from a position on, and raises StoppedError for
    what must not go out; `strand_of` says which channels are pieces of one text.
    """

    def __init__(self, strand_of: Callable[[str], str], judged: Judged, glance: Glancing, *, enforcing: bool) -> None:
        self._judged, self._glance, self._enforcing = judged, glance, enforcing
        self._windows: dict[str, Window] = {}
        self._joints = Joints(strand_of)

    def held(self, prefixes: tuple[str, ...]) -> list[str]:
        """Return the channels whose names begin so and of which something may be held."""
        return [name for name in self._windows if name.startswith(prefixes)]

    def sent(self, channel: str, text: str) -> None:
        """Note what goes out, before values are put back into it."""
        self._joints.send(channel, text)

    async def rest_of(self, channel: str) -> str:
        """Close a channel; return what is left of it."""
        if channel not in self._windows:
            return ""
        await self._read_joint(channel)
        released = await self._release(channel, final=True)
        del self._windows[channel]
        for seam in self._joints.beside(channel, released, self._held()):
            await self._judge_seam(seam)
        self._joints.end(channel)
        return released

    async def push(self, piece: Piece, *, ends: bool) -> str:
        """Take in more of a channel; return what may go out of it. `ends`: the rest is asked for next."""
        window = self._windows.get(piece.channel)
        if window is None:
            if not piece.whole:
                self._joints.begin(piece.channel, self._held())
            window = self._windows[piece.channel] = Window(whole=piece.whole)
        window.push(piece.text)
        held = window.held if len(self._windows) == 1 else sum(w.held for w in self._windows.values())
        if window.overgrown or held > _HELD_IN_ALL or len(self._windows) > _MOST_CHANNELS:
            if not self._enforcing:
                return await self.rest_of(piece.channel)
            # Nobody can say any more what this will become, and releasing it would be releasing it unread.
            raise StoppedError((await self._judge_text(piece.channel, window)).as_stop(StopReason.UNSCANNED))
        return await self._look(piece.channel, window) if window.due and not ends else ""

    def _held(self) -> dict[str, str]:
        return {name: window.held_text for name, window in self._windows.items()}

    async def _look(self, channel: str, window: Window) -> str:
        standing = self._joints.before(channel)
        if standing and not window.base and len(window.text) <= REACH:
            seen = await self._glance_over(standing, channel, window)
            if not seen.plain:
                await self._read_joint(channel)
        else:
            await self._read_joint(channel)  # for the last time: what comes now is beyond its reach
            self._joints.end(channel)
            seen = await self._glance(_segment(channel, window.newest), window.before)
        if seen.plain and seen.settled is not None and not window.to_be_judged:
            return window.let_go(seen.settled)
        return await self._release(channel, settled=seen.settled)

    async def _read_joint(self, channel: str) -> None:
        """Have the meeting of a text that begins with what it goes on with judged, if it is near."""
        for before in self._joints.before(channel):
            await self._judge_seam(seam_of(before, self._windows[channel].text))

    async def _judge_seam(self, seam: Segment) -> None:
        """What would be masked there is a stop: half of it is gone."""
        walk = Walk(Direction.RESPONSE, frozenset())
        walk.segments.append(seam)
        await self._judged(walk, "", 0)

    async def _glance_over(self, standing: tuple[str, ...], channel: str, window: Window) -> Seen:
        """Glance at the beginning of a text as what it goes on with continues (half of a number is in there), and by
        itself: behind a letter no key begins.
        """
        alone = await self._glance(_segment(channel, window.newest), window.before)
        looks = [await self._glance(_segment(channel, before + window.text), before) for before in standing]
        inside = len(window.text) - len(window.newest)
        settled = [
            max(0, seen.settled - len(before) - inside)
            for before, seen in zip(standing, looks, strict=True)
            if seen.settled is not None
        ]
        plain = alone.plain and all(seen.plain for seen in looks)
        if alone.settled is None or len(settled) < len(looks):
            return Seen(plain, None)
        return Seen(plain, min(*settled, alone.settled))

    async def _release(self, channel: str, *, final: bool = False, settled: int | None = None) -> str:
        window = self._windows[channel]
        verdict = await self._judge_text(channel, window)
        edits = verdict.effect.edits
        if window.whole:
            try:
                return edit_text(window.text, edits)
            except UneditableError as exc:
                raise StoppedError(verdict.as_stop(StopReason.FOUND)) from exc
        return window.release([(edit.span, _mask(edit)) for edit in edits], final=final, settled=settled)

    async def _judge_text(self, channel: str, window: Window) -> Verdict:
        walk, segment = Walk(Direction.RESPONSE, frozenset()), _segment(channel, window.text)
        walk.segments.append(segment)
        if not window.base:  # what stands before may say what it begins with
            walk.segments += [Seam((_segment("", before), segment)) for before in self._joints.before(channel)]
        return await self._judged(walk, channel, window.base)


def _segment(channel: str, text: str) -> Segment:
    return Segment(Direction.RESPONSE, Origin.ASSISTANT, Kind.TEXT, Place.VALUE, f"/{channel}", text)


def _mask(edit: Edit) -> str:
    return f"[{edit.replacement.kind}]" if isinstance(edit.replacement, Pseudonym) else edit.replacement
