"""Processes of the supervisor: when one that falls is put up again."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from proxy.runtime import processes
from proxy.runtime.processes import Process


async def nothing() -> None: ...


def waits(times: int, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return how long (seconds) a process that dies at once waits for its next start, after each of `times` deaths."""
    monkeypatch.setattr(processes, "time", SimpleNamespace(monotonic=lambda: 0.0))
    process, found = Process("worker 0", nothing), []
    for _ in range(times):
        process.note_exit(1 << 8)
        found.append(process.again_at)
    return found


def test_a_process_that_dies_at_once_is_started_less_and_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    assert waits(9, monkeypatch) == [0.0, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0, 10.0]


def test_a_process_that_has_died_for_hours_is_still_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    assert waits(1100, monkeypatch)[-1] == 10.0


def test_a_child_that_cannot_say_its_last_words_ends_all_the_same() -> None:
    forking = """
import os, sys
from proxy.runtime.processes import Process

async def main():
    sys.stdout.write("kept until it is flushed")

process = Process("x", main)
try:
    process.start()
except OSError:
    sys.stderr.write("went on as its parent")
    os._exit(1)
sys.stderr.write(str(os.waitstatus_to_exitcode(os.waitpid(process.pid, 0)[1])))
"""
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-c", forking]
        buffered = {**os.environ, "PYTHONUNBUFFERED": ""}
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False, text=True, env=buffered)
    assert done.stderr == "0"


def test_a_process_has_as_many_files_open_as_it_may() -> None:
    taking = """
import resource
from proxy.runtime.processes import take_descriptors

resource.setrlimit(resource.RLIMIT_NOFILE, (128, 512))
take_descriptors()
print(resource.getrlimit(resource.RLIMIT_NOFILE))
"""
    assert subprocess.check_output([sys.executable, "-c", taking], text=True) == "(512, 512)\n"


def test_what_is_large_goes_back_to_the_system_when_it_is_free() -> None:
    """As a full table does that is written anew: the block is freed behind one that was allocated later."""
    working = """
import sys, psutil
from proxy.runtime.processes import share_memory
if sys.argv[1] == "shared":
    share_memory()
del [bytearray(6 << 20) for _ in range(2)][:]
used, kept, large = psutil.Process().memory_info, [], bytearray(6 << 20)
before = used().rss
for _ in range(8):
    large = [bytearray(6 << 20), kept.append(bytearray(100_000))][0]
print((used().rss - before) >> 20)
"""
    grown = {
        how: int(subprocess.check_output([sys.executable, "-c", working, how], text=True))
        for how in ("shared", "as it was")
    }

    assert grown["shared"] < 4
    if platform.libc_ver()[0] == "glibc":
        assert grown["as it was"] > 4
