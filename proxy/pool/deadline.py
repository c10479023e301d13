"""Two kinds of time limit: one that is set many times a second, and one for a whole exchange."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Allowance:
    """Seconds for a whole exchange, running from now on. However often the other side says something, it ends."""

    __slots__ = ("_clock", "_due")

    def __init__(self, seconds: float) -> None:
        self._clock = asyncio.get_running_loop().time
        self._due = self._clock() + seconds

    @property
    def spent(self) -> bool:
        return self._clock() >= self._due

    def at_most(self, seconds: float) -> float:
        """Return how long one step may take that has `seconds` by itself; 0 where nothing is left."""
        return max(0.0, min(seconds, self._due - self._clock()))


class Deadline:
    """Calls `expired` when a `start` was not followed by a `stop` in time; it costs a timer only when one runs out.

    A timer once set stays set: when it fires too early for the present deadline it is set again for the rest.
    """

    __slots__ = ("_due", "_expired", "_loop", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, expired: Callable[[], None]) -> None:
        self._loop, self._expired = loop, expired
        self._due: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self, seconds: float) -> None:
        due = self._due = self._loop.time() + seconds
        if self._timer is not None:
            if self._timer.when() <= due:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._fire)

    def stop(self) -> None:
        self._due = None

    def close(self) -> None:
        """Leave no timer behind."""
        self._due = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self) -> None:
        due, self._timer = self._due, None
        if due is None:
            return
        if self._loop.time() < due:
            self._timer = self._loop.call_at(due, self._fire)
            return
        self._due = None
        self._expired()
