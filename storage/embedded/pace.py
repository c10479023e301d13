"""The pace of restarts of an engine that keeps dying."""

from __future__ import annotations

from collections.abc import Callable

_CALM_SECONDS = 60.0
_FIRST_SECONDS, _LONGEST_SECONDS = 0.5, 30.0


class Pace:
    """Says when a dead engine may be launched again: at once the first time, then 0.5, 1, 2 ... 30 s after its last
    launch; a launch that lived for a minute starts over. `clock` is monotonic, in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._launched: float | None = None
        self._delay = 0.0

    def note_launch(self) -> None:
        now = self._clock()
        if self._launched is None or now - self._launched >= _CALM_SECONDS:
            self._delay = 0.0
        else:
            self._delay = min(max(_FIRST_SECONDS, 2 * self._delay), _LONGEST_SECONDS)
        self._launched = now

    def allows_launch(self) -> bool:
        return self._launched is None or self._clock() >= self._launched + self._delay
