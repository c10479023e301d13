"""Denials in the admin audit: each for itself, until somebody is denied so often that the book would drown in it."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from proxy.control.access.types import Principal

_MINUTE: Final = 60.0
_REMEMBERED: Final = 1000  # principals
_LOG: Final = structlog.get_logger("promptshield.control")


@dataclass(slots=True)
class _Minute:
    began: float
    noted: int = 0
    left_out: int = 0


class Denials:
    """At most `most` notes a minute for one principal; the next one says how many were left out.

    Every note is a link of one chain and waits for the one before: whoever asks ten thousand times for what is not
    theirs must not hold up everybody else's.
    """

    def __init__(self, most: int = 60, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = most, clock
        self._minutes: OrderedDict[tuple[str, int], _Minute] = OrderedDict()

    def admit(self, principal: Principal) -> int | None:
        """Return how many were left out since the last note, or None if this one is left out, too."""
        return self.admit_for(principal.kind, principal.id)

    def admit_for(self, kind: str, number: int) -> int | None:
        """As `admit`, for what is told apart by a kind and a number."""
        name, now = (kind, number), self._clock()
        minute = self._minutes.pop(name, None) or _Minute(now)
        if now - minute.began >= _MINUTE:
            minute = _Minute(now, 0, minute.left_out)
        self._minutes[name] = minute
        if len(self._minutes) > _REMEMBERED:
            self._minutes.popitem(last=False)
        if minute.noted < self._most:
            left_out, minute.left_out = minute.left_out, 0
            minute.noted += 1
            return left_out
        if not minute.left_out:
            _LOG.warning("denied again and again: not every time is noted", principal=f"{name[0]}:{name[1]}")
        minute.left_out += 1
        return None
