"""A deadline that is started often and fires once, and an allowance that is spent once."""

from __future__ import annotations

import asyncio

from proxy.pool.deadline import Allowance, Deadline


async def test_it_fires_when_nobody_stops_it() -> None:
    expired = asyncio.Event()
    Deadline(asyncio.get_running_loop(), expired.set).start(0.005)
    await asyncio.wait_for(expired.wait(), 1)


async def test_stopped_in_time_it_is_silent() -> None:
    fired: list[None] = []
    deadline = Deadline(asyncio.get_running_loop(), lambda: fired.append(None))
    deadline.start(0.002)
    deadline.stop()
    await asyncio.sleep(0.01)
    assert fired == []


async def test_only_the_last_start_counts_whether_longer_or_shorter() -> None:
    loop = asyncio.get_running_loop()
    for first, last in ((0.001, 0.03), (60.0, 0.03)):
        expired, began = asyncio.Event(), loop.time()
        deadline = Deadline(loop, expired.set)
        deadline.start(first)
        deadline.start(last)
        await asyncio.wait_for(expired.wait(), 1)
        assert loop.time() - began >= last - 0.002  # uvloop counts in milliseconds


async def test_it_can_be_used_again_after_it_fired() -> None:
    fired: list[None] = []
    deadline = Deadline(asyncio.get_running_loop(), lambda: fired.append(None))
    for _ in range(2):
        deadline.start(0.001)
        await asyncio.sleep(0.01)
    assert len(fired) == 2


async def test_closed_it_leaves_no_timer() -> None:
    fired: list[None] = []
    deadline = Deadline(asyncio.get_running_loop(), lambda: fired.append(None))
    deadline.start(0.001)
    deadline.close()
    await asyncio.sleep(0.01)
    assert fired == []


async def test_a_step_gets_its_own_time_or_what_is_left_of_the_whole() -> None:
    allowance = Allowance(10)
    assert allowance.at_most(1) == 1
    assert 9 < allowance.at_most(60) < 10.001  # as exactly as a clock far from zero can say
    assert not allowance.spent


async def test_of_what_is_spent_nothing_is_left() -> None:
    allowance = Allowance(0)
    assert allowance.spent
    assert allowance.at_most(60) == 0
