"""A circuit breaker for what is awaited: the only importer of pybreaker, whose state machine it drives from outside.

pybreaker counts nothing of a coroutine, and half-open it lets everybody through. So a caller asks for a permit, awaits
whatever it wants, and notes how that went. A permit from before the breaker opened says nothing about it any more.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, NoReturn

import pybreaker

from detectors.words import BreakerState

NO_PERMIT: Final = 0
_STATES: Final = {
    pybreaker.STATE_CLOSED: BreakerState.CLOSED,
    pybreaker.STATE_OPEN: BreakerState.OPEN,
    pybreaker.STATE_HALF_OPEN: BreakerState.HALF_OPEN,
}


class _Failed(Exception):  # noqa: N818 - never leaves this room
    """What a failure is to pybreaker."""


class Breaker:
    """One service's breaker. After `threshold` failures in a row it is open for `recovery` seconds; then one caller at
    a time may try, and the first success closes it. `clock` is monotonic.
    """

    def __init__(self, threshold: int, recovery: float, clock: Callable[[], float] = time.monotonic) -> None:
        # No timeout of its own: when the service may be tried again is told by our clock, which never steps.
        self._machine = pybreaker.CircuitBreaker(fail_max=threshold, reset_timeout=0, throw_new_error_on_trip=False)
        self._recovery, self._clock = recovery, clock
        self._opened_at = 0.0
        self._permit = 1  # that everybody has who was admitted since it last opened
        self._trying = False
        self._calm = True  # closed, and nothing has failed since: what nearly every call finds

    @property
    def state(self) -> BreakerState:
        state = _STATES[self._machine.current_state]
        return BreakerState.HALF_OPEN if state is BreakerState.OPEN and not self.seconds_left else state

    @property
    def seconds_left(self) -> float:
        """How long an open breaker stays open; 0 for any other."""
        if self._machine.current_state != pybreaker.STATE_OPEN:
            return 0.0
        return max(0.0, self._opened_at + self._recovery - self._clock())

    def admits(self) -> int:
        """Return a permit for one call now, or NO_PERMIT. Who has one must `note` how it went, or `abandon` it."""
        if self._calm:
            return self._permit
        state = self.state
        if state is BreakerState.CLOSED:
            return self._permit
        if state is BreakerState.OPEN or self._trying:
            return NO_PERMIT
        self._trying = True
        return self._permit

    def note(self, permit: int, *, failed: bool) -> bool:
        """Count a call that has ended, and tell whether it counts: not if it began before the breaker last opened."""
        if permit != self._permit:
            return False
        if self._calm and not failed:
            return True
        self._trying = False
        try:
            self._machine.call(_fail if failed else _succeed)
        except _Failed:
            self._calm = False
            if self._machine.current_state == pybreaker.STATE_OPEN:
                self._opened_at = self._clock()
                self._permit += 1
        else:
            self._calm = self._machine.current_state == pybreaker.STATE_CLOSED
        return True

    def trip(self, seconds: float) -> None:
        """Open it for that long: somebody else has found that the service does not work."""
        self._machine.open()
        self._calm, self._opened_at = False, self._clock() + seconds - self._recovery
        self._trying, self._permit = False, self._permit + 1

    def abandon(self, permit: int) -> None:
        """End a call of which nobody will know how it would have gone: a caller that was cancelled."""
        if permit == self._permit:
            self._trying = False


def _fail() -> NoReturn:
    raise _Failed


def _succeed() -> None:
    return
