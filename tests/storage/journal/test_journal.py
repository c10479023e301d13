"""The writer: what it answered for is in the file, full disks damage nothing, and one flush serves all who wait."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from detectors.errors import JournalError
from storage.chains.canonical import FORM
from storage.journal.folder import segment_name
from storage.journal.frames import HOLE, LONGEST, OPENED, SEALED, closed_record, scan
from storage.journal.journal import LOOK_AGAIN, Journal, Sync
from storage.types import DecisionRecord
from tests.storage.conftest import OpenJournal
from tests.storage.journals import WRITER, a_record, files, is_locked, numbers, opened_of

RECORD: Final = a_record()
OPEN: Final = opened_of(RECORD)


def kinds(file: Path) -> list[int]:
    return [frame[0] for frame in scan(file.read_bytes(), final=True)]


def kinds_by_segment(folder: Path) -> list[list[int]]:
    return [kinds(folder / name) for name in files(folder)]


def closed_in(folder: Path) -> list[DecisionRecord | None]:
    found = []
    for name in files(folder):
        data = (folder / name).read_bytes()
        found += [closed_record(data[f[3] : f[4]]) for f in scan(data, final=True) if f[0] == SEALED]
    return found


async def test_what_was_written_is_read_back_in_order(open_journal: OpenJournal, folder: Path) -> None:
    journal, other = open_journal(), a_record(2)
    journal.opened(OPEN)
    await journal.closed(other)
    await journal.closed(RECORD)
    data = (folder / files(folder)[0]).read_bytes()
    assert [(f[0], f[2]) for f in scan(data, final=False)] == [(OPENED, 0), (SEALED, 1), (SEALED, 2)]
    assert closed_in(folder) == [replace(one, canonical=FORM) for one in (other, RECORD)]


async def test_a_record_that_is_refused_leaves_no_trace(open_journal: OpenJournal, folder: Path) -> None:
    journal = open_journal()
    journal.opened(OPEN)
    with pytest.raises(JournalError):
        await journal.closed(a_record(facts="x" * LONGEST))
    await journal.closed(RECORD)
    assert kinds_by_segment(folder) == [[OPENED, SEALED]]


def test_a_full_segment_is_followed_by_another(open_journal: OpenJournal, folder: Path) -> None:
    journal = open_journal(segment_size=1)
    for _ in range(3):
        journal.opened(OPEN)
    assert kinds_by_segment(folder) == [[OPENED]] * 3
    assert numbers(folder) == [1, 2, 3]


def test_segments_are_nobody_elses_to_read(open_journal: OpenJournal, folder: Path) -> None:
    open_journal()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}


def test_the_journal_of_an_instance_has_a_bound(open_journal: OpenJournal, folder: Path) -> None:
    """The segments that dead writers left count too."""
    folder.mkdir()
    left = folder / segment_name("dead", 1)
    left.write_bytes(b"x" * 100_000)
    now = [1.0]
    journal = open_journal(segment_size=1, disk_limit=50_000, clock=lambda: now[0])
    for _ in range(2):
        journal.opened(OPEN)
    for _ in range(2):
        with pytest.raises(JournalError, match="full: decisions are not being shipped"):
            journal.opened(OPEN)
        now[0] += LOOK_AGAIN
    with pytest.raises(JournalError, match="full"):
        journal.opened(OPEN)
    left.unlink()
    with pytest.raises(JournalError, match="full"):  # nobody looks for every record whether there is room by now
        journal.opened(OPEN)
    now[0] += LOOK_AGAIN
    journal.opened(OPEN)
    assert len(files(folder)) == 3


def test_a_journal_that_is_shipped_goes_on_however_small_its_bound(open_journal: OpenJournal, folder: Path) -> None:
    journal, other = open_journal(segment_size=1, disk_limit=1), open_journal()
    other.opened(OPEN)
    for _ in range(5):
        journal.opened(OPEN)
        for shipped in sorted(folder.glob(f"{journal.writer}.*.jnl"))[:-1]:
            shipped.unlink()


def test_a_segment_that_cannot_be_opened_leaves_the_journal_able_to_go_on(
    open_journal: OpenJournal, folder: Path
) -> None:
    journal = open_journal(segment_size=1)
    journal.opened(OPEN)
    away = shutil.move(folder, folder.with_name("away"))
    for _ in range(2):
        with pytest.raises(JournalError, match="No such file"):
            journal.opened(OPEN)
    shutil.move(away, folder)
    journal.opened(OPEN)
    assert kinds_by_segment(folder) == [[OPENED], [OPENED]]


def test_a_journal_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match="Not a directory"):
        Journal(tmp_path / "file" / "below")


# --- sync levels --------------------------------------------------------------------------------------------------


async def test_by_default_an_answer_does_not_wait_for_the_disk(open_journal: OpenJournal, folder: Path) -> None:
    await open_journal().closed(RECORD)  # nobody flushes
    assert kinds_by_segment(folder) == [[SEALED]]


async def test_all_who_wait_for_the_disk_share_one_flush(open_journal: OpenJournal) -> None:
    journal = open_journal(Sync.MACHINE)
    waiting = [asyncio.ensure_future(journal.closed(RECORD)) for _ in range(3)]
    await asyncio.sleep(0.005)
    assert not any(task.done() for task in waiting)
    await journal.flush()
    await asyncio.gather(*waiting)


async def test_flushing_goes_on_through_rotations(open_journal: OpenJournal, folder: Path) -> None:
    journal = open_journal(Sync.MACHINE, segment_size=2000)
    flushing = asyncio.ensure_future(journal.flush_forever())

    async def client() -> None:
        for _ in range(10):
            await journal.closed(RECORD)

    await asyncio.gather(*(client() for _ in range(8)))
    flushing.cancel()
    assert sum(map(len, kinds_by_segment(folder))) == 80
    assert len(files(folder)) > 5


async def test_segments_that_were_followed_by_another_are_let_go_of(open_journal: OpenJournal, folder: Path) -> None:
    journal = open_journal(segment_size=1)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        journal.opened(OPEN)
    await journal.flush()
    assert len(os.listdir("/proc/self/fd")) == before
    assert len(files(folder)) == 20


async def test_an_answer_is_not_given_when_the_disk_did_not_take_its_record(open_journal: OpenJournal) -> None:
    journal = open_journal(Sync.MACHINE)
    readable, writable = os.pipe()
    os.dup2(writable, journal._segment)  # a pipe takes what is written, and cannot be flushed
    waiting = asyncio.ensure_future(journal.closed(RECORD))
    await asyncio.sleep(0)
    await journal.flush()
    with pytest.raises(JournalError, match="did not take"):
        await waiting
    journal._segment = journal._next_segment()
    os.close(readable)
    os.close(writable)


async def test_nobody_waits_for_a_flush_that_was_cancelled(open_journal: OpenJournal) -> None:
    journal = open_journal(Sync.MACHINE)
    waiting = asyncio.ensure_future(journal.closed(RECORD))
    await asyncio.sleep(0)
    flushing = asyncio.ensure_future(journal.flush())
    await asyncio.sleep(0)
    flushing.cancel()
    with pytest.raises(JournalError, match="did not take"):
        await waiting


# --- locks, full disks, violent deaths ----------------------------------------------------------------------------


def test_a_lock_is_held_as_long_as_its_writer_lives(open_journal: OpenJournal, folder: Path) -> None:
    open_journal()
    other = Journal(folder)
    locks = sorted(folder.glob("*.lock"))
    assert [is_locked(lock) for lock in locks] == [True, True]
    other.close()
    assert sorted(is_locked(lock) for lock in locks) == [False, True]
    assert not list(folder.glob("*.new"))


FILL: Final = """
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, -1))
written = refused = 0
while refused < 3:
    try:
        asyncio.run(journal.closed(a_record(written)))
        written += 1
    except JournalError:
        refused += 1
resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
asyncio.run(journal.closed(a_record(written)))
print(written + 1)
"""
STUCK: Final = """
def refuse(*_):
    raise OSError(5, "Input/output error")

resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, -1))
truncate, os.ftruncate = os.ftruncate, refuse
try:
    while True:
        journal.opened(opened_of(a_record()))
except JournalError:
    os.ftruncate = truncate
resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
asyncio.run(journal.closed(a_record()))
"""
FOREVER: Final = """
async def forever():
    number = 0
    while True:
        await journal.closed(a_record(number))
        print(number, flush=True)
        number += 1
asyncio.run(forever())
"""


def child(folder: Path, story: str) -> list[str]:
    return [sys.executable, "-c", WRITER + story, str(folder), "1", str(8 << 20)]


def test_a_full_disk_refuses_records_and_damages_none(folder: Path) -> None:
    run = subprocess.run(child(folder, FILL), capture_output=True, text=True, timeout=30, check=True)
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    written = int(run.stdout)
    assert written > 10
    assert [record and record.tenant_id for record in closed_in(folder)] == list(range(written))


def test_half_a_record_that_cannot_be_taken_back_is_followed_by_a_new_segment(folder: Path) -> None:
    subprocess.run(child(folder, STUCK), timeout=30, check=True)
    first, second = kinds_by_segment(folder)
    assert (first[-1], set(first[:-1]), second) == (HOLE, {OPENED}, [SEALED])


def test_what_a_killed_writer_answered_for_is_in_its_journal(folder: Path) -> None:
    with subprocess.Popen(child(folder, FOREVER), stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for _ in range(200):
            writer.stdout.readline()
        assert is_locked(next(folder.glob("*.lock")))
        writer.kill()
        answered = 200 + len(writer.stdout.read().splitlines())
    assert len(closed_in(folder)) in {answered, answered + 1}
    assert not is_locked(next(folder.glob("*.lock")))
