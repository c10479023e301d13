"""In which order judges are asked, and whose word counts; without a ruling in time there is none."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from statistics import median
from types import MappingProxyType
from typing import Final

from detectors.judges.round import Round
from detectors.judges.types import Ruling, Strategy

Clock = Callable[[], float]
Decide = Callable[[Round, float, Clock], Awaitable[Ruling | None]]


async def hedge(hearing: Round, deadline: float, clock: Clock = time.monotonic) -> Ruling | None:
    """The next judge starts when the last has failed, or after a third of the deadline; the first ruling wins.

    Where nobody usually answers in time, the two fastest start at once.
    """
    end, pace = clock() + deadline, deadline / 3
    if not hearing.rulings and hearing.nobody_fits(deadline):
        await hearing.start_fastest()
        await hearing.start_fastest()
        next_at = clock() + pace
    else:
        next_at = clock()
    while not hearing.rulings and (left := end - clock()) > 0:
        more = True
        if clock() >= next_at or not hearing.running:
            more, next_at = await hearing.start_next(left), clock() + pace
        if not more and not hearing.running:
            return hearing.rulings[0] if hearing.rulings else None
        await hearing.wait((min(end, next_at) if more else end) - clock())
    return hearing.rulings[0] if hearing.rulings else None


async def sequential(hearing: Round, deadline: float, clock: Clock = time.monotonic) -> Ruling | None:
    """A ladder: the next judge starts when the last has failed."""
    end = clock() + deadline
    while not hearing.rulings and (left := end - clock()) > 0:
        if not hearing.running and not await hearing.start_next(left):
            break
        await hearing.wait(end - clock())
    return hearing.rulings[0] if hearing.rulings else None


async def majority(hearing: Round, deadline: float, clock: Clock = time.monotonic) -> Ruling | None:
    """All start at once; more than half of those who were asked must agree that it is an attack, or that it is none.

    Whoever does not answer agrees with nobody. Of attacks the middle confidence counts, and its category.
    """
    end = clock() + deadline
    while await hearing.start_next(deadline):
        continue
    while (agreed := _agreed(hearing)) is None and hearing.running and clock() < end:
        await hearing.wait(end - clock())
    return agreed


def said_in_the_end(hearing: Round, strategy: Strategy) -> Ruling | None:
    """Return what a round comes to when nobody says any more: of a majority that there is none, nothing."""
    if strategy is Strategy.MAJORITY:
        return _agreed(hearing)
    return hearing.rulings[0] if hearing.rulings else None


def _agreed(hearing: Round) -> Ruling | None:
    attacks = sorted((r for r in hearing.rulings if r.category is not None), key=lambda ruling: ruling.confidence)
    others = [ruling for ruling in hearing.rulings if ruling.category is None]
    needed = hearing.asked // 2 + 1
    if len(attacks) >= needed:
        middle = median([ruling.confidence for ruling in attacks])
        return next(ruling for ruling in attacks if ruling.confidence >= middle)
    return others[0] if len(others) >= needed else None


STRATEGIES: Final[Mapping[Strategy, Decide]] = MappingProxyType(
    {Strategy.HEDGE: hedge, Strategy.SEQUENTIAL: sequential, Strategy.MAJORITY: majority}
)
