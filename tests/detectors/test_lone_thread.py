"""One thread beside the loop: always the same, but in a process that was forked since."""

from __future__ import annotations

import os
import threading

import pytest

from detectors.lone_thread import LoneThread


async def test_all_work_is_done_by_one_thread_beside_the_loop() -> None:
    thread = LoneThread("t")
    assert await thread.run(threading.current_thread) is await thread.run(threading.current_thread)
    assert await thread.run(threading.current_thread) is not threading.current_thread()


async def test_a_process_that_was_forked_has_a_thread_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []
    thread = LoneThread("t", lambda: begun.append(1))
    parents = await thread.run(threading.current_thread)
    monkeypatch.setattr(os, "getpid", lambda: -1)

    assert await thread.run(threading.current_thread) is not parents
    assert begun == [1, 1]
