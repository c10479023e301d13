"""Turns on one thread of low priority, for work that would hold up the event loop: few wait, more are refused."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Final, TypeVar

from detectors.lone_thread import LoneThread

Result = TypeVar("Result")

_NICE: Final = 10  # what the loop has to do goes first


class TooManyWaitError(Exception):
    """As many wait for a turn as may."""


class Turns:
    """One thread. At most `most` wait for it or have it."""

    def __init__(self, most: int) -> None:
        self._most, self._taken = most, 0
        self._thread = LoneThread("ps-turns", _give_way)

    async def take(self, work: Callable[[], Result]) -> Result:
        """Return what `work` returns. Raises TooManyWaitError. Who is cancelled loses his turn, if it has not begun."""
        if self._taken >= self._most:
            raise TooManyWaitError
        self._taken += 1
        try:
            return await self._thread.run(work)
        finally:
            self._taken -= 1


def _give_way() -> None:
    """Let the kernel prefer everybody else (Linux keeps a priority for each thread; elsewhere nothing is changed)."""
    if hasattr(os, "sched_getscheduler"):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
