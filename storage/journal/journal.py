"""The durable local queue of decisions: one writer per worker, records that survive the death of the process.

An exchange is written twice: `opened` before the first byte goes upstream, with what its row will hold if nothing more
is heard of it, and `closed` before the answer ends. A writer holds a lock on `<writer>.lock` as long as it lives; who
can take that lock knows the writer is dead. What a file looks like inside is in `frames.py`.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import time
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final

from detectors.errors import JournalError
from storage.journal.folder import journal_size, lock_name, segment_name, writers_in
from storage.journal.frames import encode_closed, encode_opened
from storage.types import DecisionRecord, OpenedRecord
from storage.uuid7 import uuid7

FLUSH_SECONDS: Final = 0.1
LOOK_AGAIN: Final = 0.1  # seconds; whoever is refused meanwhile costs no look at a folder of many segments


class Sync(StrEnum):
    """What a decision survives before the answer goes out: the death of the process, or of the machine."""

    PROCESS = "process"
    MACHINE = "machine"


class Journal:
    """One worker's writer, which its files are named after.

    A record is one system call; `flush_forever` makes it durable against the death of the machine too.
    Once the segments of all writers in `folder` exceed `disk_limit` bytes, a writer whose own are not being shipped
    refuses records.
    """

    def __init__(
        self,
        folder: Path,
        sync: Sync = Sync.PROCESS,
        segment_size: int = 8 << 20,
        disk_limit: int = 1 << 30,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder, self._sync = folder, sync
        self._segment_size, self._disk_limit, self._clock = segment_size, disk_limit, clock
        self._closed_until = 0.0  # seconds of `clock`: it was full
        self.writer = uuid7()
        self._decisions = self._number = self._written = 0
        self._dirty = self._named = False  # whether there is something to flush; whether the newest name is
        self._full: list[int] = []  # segments that were followed by another and are not flushed yet
        self._waiting: list[asyncio.Future[bool]] = []
        self._awaited = asyncio.Event()
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = _take_lock(folder, self.writer)
            self._segment = self._next_segment()
        except OSError as exc:
            raise JournalError(f"journal {folder}: {exc.strerror}") from exc

    def opened(self, record: OpenedRecord) -> None:
        """Note that an exchange goes upstream. Raises JournalError."""
        self._append(encode_opened(record, self._decisions))

    async def closed(self, record: DecisionRecord) -> None:
        """Write the whole decision; with `sync: machine` return only once it is on the disk. Raises JournalError."""
        self._append(encode_closed(record, self._decisions + 1))
        self._decisions += 1
        if self._sync is Sync.MACHINE:
            flushed = asyncio.get_running_loop().create_future()
            self._waiting.append(flushed)
            self._awaited.set()
            if not await flushed:
                raise JournalError("journal: the disk did not take what was written")

    async def flush_forever(self) -> None:
        """Push what was written to the disk: every FLUSH_SECONDS, or at once for those who wait.

        While the disk works, the next group gathers; one call serves all of it.
        """
        while True:
            if self._sync is Sync.MACHINE:
                await self._awaited.wait()
                self._awaited.clear()
            else:
                await asyncio.sleep(FLUSH_SECONDS)
            if self._dirty:
                await self.flush()

    async def flush(self) -> None:
        """Push to the disk what was written so far, and tell those who wait for it."""
        waiting, self._waiting = self._waiting, []
        flushed = False
        try:
            # A copy, because the segment may be closed meanwhile and its number go to another file.
            descriptors = [os.dup(self._segment), *self._full]
            folder = None if self._named else self._folder
            self._full, self._dirty, self._named = [], False, True
            await asyncio.to_thread(_flush_and_close, descriptors, folder)
            flushed = True
        except OSError:
            self._dirty, self._named = (
                True,
                False,
            )  # those who wait are told; a disk that fails will fail the writes too
        finally:
            _settle(waiting, flushed=flushed)

    def close(self) -> None:
        """Flush, and let go of the lock so that the shipper may take over what is left."""
        descriptors, self._full = [self._segment, *self._full], []
        try:
            _flush_and_close(descriptors, self._folder)
        finally:
            os.close(self._lock)

    def _append(self, frame: bytes) -> None:
        try:
            if self._written >= self._segment_size:
                self._rotate()
            self._write(frame)
        except OSError as exc:
            raise JournalError(f"journal: {exc.strerror}") from exc

    def _write(self, frame: bytes) -> None:
        written = os.write(self._segment, frame)
        if written == len(frame):
            self._written += written
            self._dirty = True
            return
        # The disk is full. Should the rest not go away either, the next record begins a segment of its own.
        complete, self._written = self._written, self._segment_size
        os.ftruncate(self._segment, complete)
        self._written = complete
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _rotate(self) -> None:
        if self._clock() < self._closed_until or self._is_full():
            raise OSError(errno.ENOSPC, "it is full: decisions are not being shipped")
        following = self._next_segment()  # first, because without it the old one must stay open
        self._full.append(self._segment)
        self._segment = following

    def _is_full(self) -> bool:
        # The newest segment is never removed, so those of many workers must not count as a backlog by themselves.
        behind = len(writers_in(self._folder).get(self.writer, ())) > 1
        full = behind and journal_size(self._folder) > self._disk_limit
        if full:
            self._closed_until = self._clock() + LOOK_AGAIN
        return full

    def _next_segment(self) -> int:
        self._number += 1
        name = segment_name(self.writer, self._number)
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
        descriptor = os.open(self._folder / name, flags, 0o600)
        self._written, self._named = 0, False
        return descriptor


def _take_lock(folder: Path, writer: str) -> int:
    """Lock first, then name: a lock file that nobody holds yet would look like that of a dead writer."""
    nameless = folder / f"{writer}.new"
    descriptor = os.open(nameless, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    nameless.rename(folder / lock_name(writer))
    return descriptor


def _flush_and_close(segments: Sequence[int], folder: Path | None) -> None:
    """Flush what the segments hold, and the folder that names them. Raises OSError, with all of them closed."""
    open_still = [*segments]
    try:
        if folder is not None:
            open_still.append(os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        for descriptor in open_still:
            os.fdatasync(descriptor)
    finally:
        for descriptor in open_still:
            os.close(descriptor)


def _settle(waiting: list[asyncio.Future[bool]], *, flushed: bool) -> None:
    for future in waiting:
        if not future.done():
            future.set_result(flushed)
