"""What slow detectors read of a streamed answer: windows that the text alone cuts, each read as soon as it is whole."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final

from detectors.types import Coverage, Direction, Kind, Origin, Place, Segment, Stage
from policies.types import Mode, Policy, Verdict
from proxy.bodies.walk import Walk
from proxy.exchange import Exchange
from proxy.screen import Screened
from proxy.streams.streaming import StreamScreen

WINDOW: Final = 1_200  # characters of one window at most
_LEAST: Final = 400
_BEFORE: Final = 200  # characters of the last window that stand in front of the next one
# Where a sentence or line ends, in the scripts that have such marks.
_ENDS: Final = re.compile(r"[.!?…。！？।؟\n](?=\s|$)|[。！？।]")  # noqa: RUF001 - marks of several scripts


@dataclass(slots=True)
class _Open:
    number: int
    text: str = ""
    before: str = ""
    base: int = 0  # where `text` begins in its channel


class SlowReading:
    """Hears what fast detectors let go, in order, and has it read again. Text is cut by characters and punctuation, so
    that the same text is read in the same windows however it arrived.

    Windows are numbered as they begin. `read_through` is the number up to which all were read; `verdict` the first one
    that stops the stream, and `failure` what kept a window from being read, which must not pass for a reading.
    """

    def __init__(
        self, judge: Callable[[Walk], Awaitable[Screened]], note: Callable[[Screened, str, int], None]
    ) -> None:
        self._judge, self._note = judge, note
        self._open: dict[str, _Open] = {}
        self._unread: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._next = 0
        self.verdict: Verdict | None = None
        self.failure: BaseException | None = None

    @property
    def newest(self) -> int:
        """The number of the window that began last, -1 before any."""
        return self._next - 1

    @property
    def read_through(self) -> int:
        return min(self._unread) - 1 if self._unread else self.newest

    @property
    def tasks(self) -> frozenset[asyncio.Task[None]]:
        return frozenset(self._tasks)

    def hear(self, channel: str, text: str) -> None:
        """Take in what was let go of a channel."""
        window = self._open.get(channel) or self._begin(channel)
        window.text += text
        while len(window.text) >= WINDOW:
            cut = _cut(window.text)
            rest = window.text[cut:]
            window.text = window.text[:cut]
            self._read(channel, window)
            window = self._begin(channel, (window.before + window.text)[-_BEFORE:], window.base + cut)
            window.text = rest

    def finish(self) -> None:
        """Have what is left read: nothing more comes."""
        for channel, window in list(self._open.items()):
            if window.text:
                self._read(channel, window)
            else:
                self._unread.discard(window.number)
        self._open.clear()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, channel: str, before: str = "", base: int = 0) -> _Open:
        window = self._open[channel] = _Open(self._next, "", before, base)
        self._unread.add(self._next)
        self._next += 1
        return window

    def _read(self, channel: str, window: _Open) -> None:
        task = asyncio.get_running_loop().create_task(self._read_one(channel, window))
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and self.failure is None:
            self.failure = task.exception()

    async def _read_one(self, channel: str, window: _Open) -> None:
        walk = Walk(Direction.RESPONSE, frozenset())
        text = window.before + window.text
        walk.segments.append(Segment(Direction.RESPONSE, Origin.ASSISTANT, Kind.TEXT, Place.VALUE, f"/{channel}", text))
        screened = await self._judge(walk)
        self._note(screened, channel, window.base - len(window.before))
        if not screened.verdict.effect.stop:
            self._unread.discard(window.number)
        elif self.verdict is None:
            self.verdict = screened.verdict


def slow_reading(
    exchange: Exchange, policy: Policy, screen: StreamScreen, judge: Callable[[Walk], Awaitable[Screened]]
) -> SlowReading | None:
    """Return what has a stream's text read by judges, None where the policy has none read answers."""
    if policy.mode is Mode.OFF or policy.judges is None or not policy.judges.reads_answers:
        return None

    def note(screened: Screened, channel: str, base: int) -> None:
        exchange.judge_calls += screened.calls
        screen.tally.add(_share_of_judges(screened), channel, base)

    return SlowReading(judge, note)


def _share_of_judges(screened: Screened) -> Screened:
    """Return what judges add: all else was counted when it was let go."""
    runs = tuple(run for run in screened.runs if run.stage is Stage.JUDGE)
    names, verdict = {run.detector for run in runs}, screened.verdict
    judged = tuple(item for item in verdict.judged if item.finding.detector in names)
    return Screened(replace(verdict, judged=judged, coverage=Coverage()), runs)


def _cut(text: str) -> int:
    """Return where the first window of a text ends: behind the last sentence of its first 1,200 characters."""
    ends = [match.end() for match in _ENDS.finditer(text, _LEAST, WINDOW)]
    return ends[-1] if ends else WINDOW
