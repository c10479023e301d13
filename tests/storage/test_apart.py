import asyncio
import threading

import pytest

from storage.apart import apart


async def test_work_is_done_in_another_thread_and_its_result_or_error_comes_back() -> None:
    assert await apart(threading.get_ident) != threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        await apart(divmod, 1, 0)


async def test_who_is_cancelled_waits_until_the_work_is_done() -> None:
    begun, may_end, done = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        may_end.wait(5)
        done.set()

    waiting = asyncio.ensure_future(apart(work))
    await asyncio.to_thread(begun.wait, 5)
    waiting.cancel()
    await asyncio.sleep(0.001)
    assert not waiting.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert done.is_set()
