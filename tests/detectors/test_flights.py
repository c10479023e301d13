"""One question at a time: who joins gets the answer, or hears that nobody asks any more."""

from __future__ import annotations

import asyncio

from detectors.batch import StageHits
from detectors.flights import LATE, Flights, Landed, arrival
from detectors.types import RunStatus

FOUND = Landed(StageHits({}), RunStatus.OK)


async def test_the_first_asks_and_the_others_join() -> None:
    flights = Flights()

    assert flights.join(b"a") is None
    joined = flights.join(b"a")
    assert flights.join(b"b") is None
    assert joined is not None
    flights.land(b"a", FOUND)

    assert await arrival(joined, 1) is FOUND
    assert flights.join(b"a") is None


async def test_who_waits_too_long_is_late_and_leaves_the_others_waiting() -> None:
    flights = Flights()
    flights.join(b"a")
    joined = flights.join(b"a")
    assert joined is not None

    assert await arrival(joined, 0) is LATE
    flights.land(b"a", FOUND)

    assert await arrival(joined, 0) is FOUND


async def test_one_who_is_cancelled_while_waiting_takes_nobody_with_him() -> None:
    flights = Flights()
    flights.join(b"a")
    joined = flights.join(b"a")
    assert joined is not None
    async with asyncio.TaskGroup() as group:
        one, other = (group.create_task(arrival(joined, 5)) for _ in range(2))
        await asyncio.sleep(0)
        one.cancel()
        await asyncio.sleep(0)
        flights.land(b"a", FOUND)

    assert other.result() is FOUND


async def test_those_who_joined_hear_that_nobody_asks_any_more() -> None:
    flights = Flights()
    flights.join(b"a")
    joined = flights.join(b"a")
    assert joined is not None
    flights.land(b"a", None)

    assert await arrival(joined, 1) is None
