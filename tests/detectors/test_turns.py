"""One thread, few who wait: what is too much is refused at once, and the loop goes on meanwhile."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest

from detectors.turns import TooManyWaitError, Turns


async def test_work_is_done_one_after_the_other_on_one_thread_that_gives_way() -> None:
    turns = Turns(4)
    places = await asyncio.gather(*(turns.take(threading.get_native_id) for _ in range(4)))
    assert len(set(places)) == 1
    assert places[0] != threading.get_native_id()
    assert await turns.take(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id())) > 0


async def test_who_comes_when_too_many_wait_is_refused_and_may_come_again() -> None:
    turns, open_door = Turns(2), threading.Event()
    waiting = [asyncio.ensure_future(turns.take(open_door.wait)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(TooManyWaitError):
        await turns.take(lambda: True)
    open_door.set()
    assert await asyncio.gather(*waiting) == [True, True]
    assert await turns.take(lambda: True)


async def test_who_is_cancelled_leaves_his_place() -> None:
    turns, open_door = Turns(2), threading.Event()
    running = asyncio.ensure_future(turns.take(open_door.wait))
    waiting = asyncio.ensure_future(turns.take(lambda: True))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    after = asyncio.ensure_future(turns.take(lambda: "after"))
    open_door.set()
    assert [await running, await after] == [True, "after"]
