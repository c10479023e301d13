"""The durable local queue of decisions: one writer per worker, records that survive the death of the process.

A file is a row of frames: magic, length, CRC-32, then one JSON envelope (version, instance, segment file, counter,
kind, record). An exchange is written twice: `opened` before the first byte goes upstream, with the row to keep if
nothing more is heard of it, and `closed` before the answer ends. A writer holds a lock on `<writer>.lock` as long as it
lives; who can take that lock knows the writer is dead.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import orjson

from detectors.errors import JournalError
from storage.types import DecisionRecord, Outcome
from storage.uuid7 import uuid7

VERSION: Final = 1
_FRAME: Final = struct.Struct(">4sII")
_MAGIC: Final = b"PSJ1"
_LONGEST: Final = 1 << 20  # one envelope; a decision is bounded far below


class Sync(StrEnum):
    """What a decision survives before the answer goes out: the death of the process, or of the machine."""

    PROCESS = "process"
    MACHINE = "machine"


class RecordKind(StrEnum):
    OPENED = "opened"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Envelope:
    kind: RecordKind
    counter: int
    record: DecisionRecord


@dataclass(frozen=True, slots=True)
class Tail:
    """What was read from a segment: the envelopes, where reading goes on, and whether the rest is damaged.

    `foreign` are payloads that are whole but no records of this version: the product was replaced in between.
    """

    envelopes: tuple[Envelope, ...]
    offset: int
    torn: bool
    foreign: tuple[bytes, ...] = ()


class Journal:
    """One worker's writer. A write is one system call; `flush_forever` makes it durable against the machine too.

    Once the segments of all writers in `folder` exceed `disk_limit` bytes, a writer whose own are not being shipped
    refuses records.
    """

    def __init__(
        self,
        folder: Path,
        instance: str,
        sync: Sync = Sync.PROCESS,
        segment_size: int = 8 << 20,
        disk_limit: int = 1 << 30,
    ) -> None:
        self._folder, self._instance, self._sync = folder, instance, sync
        self._segment_size, self._disk_limit = segment_size, disk_limit
        self._writer = uuid7()
        self._counter = self._number = self._written = 0
        self._flushed_counter = 0
        self._waiting: list[asyncio.Future[bool]] = []
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = _take_lock(folder, self._writer)
            self._open_segment()
        except OSError as exc:
            raise JournalError(f"journal {folder}: {exc.strerror}") from exc

    def opened(self, record: DecisionRecord) -> None:
        """Note that an exchange goes upstream; `record` is the row should it never close. Raises JournalError."""
        self._append(RecordKind.OPENED, record)

    async def closed(self, record: DecisionRecord) -> None:
        """Write the whole decision; with `sync: machine` return only once it is on the disk. Raises JournalError."""
        self._append(RecordKind.CLOSED, record)
        if self._sync is Sync.MACHINE:
            flushed = asyncio.get_running_loop().create_future()
            self._waiting.append(flushed)
            if not await flushed:
                raise JournalError("journal: the disk did not take what was written")

    async def flush_forever(self, interval: float = 0.1) -> None:
        """Push what was written to the disk every `interval` seconds, one call for all who wait."""
        while True:
            await asyncio.sleep(0.002 if self._sync is Sync.MACHINE else interval)
            if self._counter > self._flushed_counter:
                await self._flush()

    async def _flush(self) -> None:
        counter, waiting, self._waiting = self._counter, self._waiting, []
        flushed = False
        try:
            # A copy, because a rotation closes the original meanwhile and its number goes to another file.
            await asyncio.to_thread(_flush_and_close, os.dup(self._segment))
            self._flushed_counter, flushed = counter, True
        except OSError:
            pass  # those who wait are told; a disk that fails will fail the writes too
        finally:
            _settle(waiting, flushed=flushed)

    def close(self) -> None:
        """Flush, and let go of the lock so that the shipper may take over what is left."""
        try:
            _flush_and_close(self._segment)
        finally:
            os.close(self._lock)

    def _append(self, kind: RecordKind, record: DecisionRecord) -> None:
        try:
            if self._written >= self._segment_size:
                self._rotate()
            self._write(self._frame(kind, record))
        except OSError as exc:
            raise JournalError(f"journal: {exc.strerror}") from exc
        self._counter += 1

    def _frame(self, kind: RecordKind, record: DecisionRecord) -> bytes:
        envelope = {
            "v": VERSION,
            "i": self._instance,
            "f": self._number,
            "n": self._counter + 1,
            "k": kind,
            "r": record,
        }
        try:
            payload = orjson.dumps(envelope)
        except orjson.JSONEncodeError as exc:
            # Unchained: the encoder's message may quote the value.
            raise JournalError(f"journal: a record cannot be written as JSON: {type(exc).__name__}") from None
        if len(payload) > _LONGEST:  # a reader would take it for damage, and leave all that follows unread
            raise JournalError(f"journal: a record of {len(payload)} bytes is too long")
        return _FRAME.pack(_MAGIC, len(payload), zlib.crc32(payload)) + payload

    def _write(self, frame: bytes) -> None:
        written = os.write(self._segment, frame)
        if written != len(frame):  # the disk is full: a torn frame would hide all that follows it
            os.ftruncate(self._segment, self._written)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._written += written

    def _rotate(self) -> None:
        # The newest segment is never removed, so those of many workers must not count as a backlog by themselves.
        behind = len(list(self._folder.glob(f"{self._writer}.*.jnl"))) > 1
        if behind and journal_size(self._folder) > self._disk_limit:
            raise OSError(errno.ENOSPC, "it is full: decisions are not being shipped")
        full = self._segment
        self._open_segment()  # first, because without a new segment the old one must stay open
        try:
            _flush_and_close(full)
        except OSError:
            _settle(self._waiting, flushed=False)
            raise

    def _open_segment(self) -> None:
        self._number += 1
        name = segment_name(self._writer, self._number)
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
        self._segment = os.open(self._folder / name, flags, 0o600)
        self._written = 0
        if self._sync is Sync.MACHINE:  # the file's name must survive as well as its content
            _flush_and_close(os.open(self._folder, os.O_RDONLY | os.O_CLOEXEC))


def journal_size(folder: Path) -> int:
    """Return how many bytes lie in the segments below `folder`, those of other instances included."""
    return sum(map(size_of, folder.rglob("*.jnl")))


def size_of(file: Path) -> int:
    """Return the bytes of a segment, 0 if it is gone: shipped and removed meanwhile."""
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def _take_lock(folder: Path, writer: str) -> int:
    """Lock first, then name: a lock file that nobody holds yet would look like that of a dead writer."""
    nameless = folder / f"{writer}.new"
    descriptor = os.open(nameless, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    nameless.rename(folder / f"{writer}.lock")
    return descriptor


def _flush_and_close(descriptor: int) -> None:
    try:
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


def _settle(waiting: list[asyncio.Future[bool]], *, flushed: bool) -> None:
    for future in waiting:
        if not future.done():
            future.set_result(flushed)


def segment_name(writer: str, number: int) -> str:
    return f"{writer}.{number:06d}.jnl"


def read_segment(file: Path, offset: int, limit: int = 4 << 20) -> Tail:
    """Read whole frames from `offset` on, about `limit` bytes of them. Raises JournalError for an unreadable file."""
    try:
        with file.open("rb") as opened:
            opened.seek(offset)
            data = opened.read(limit + _LONGEST)
    except OSError as exc:
        raise JournalError(f"journal {file.name}: {exc.strerror}") from exc
    envelopes: list[Envelope] = []
    foreign: list[bytes] = []
    position = 0
    for payload, end in _frames(data, limit):
        if payload is None:
            return Tail(tuple(envelopes), offset + position, torn=True, foreign=tuple(foreign))
        envelope = _envelope(payload)
        if envelope is None:
            foreign.append(payload)
        else:
            envelopes.append(envelope)
        position = end
    return Tail(tuple(envelopes), offset + position, torn=False, foreign=tuple(foreign))


def _frames(data: bytes, limit: int) -> Iterator[tuple[bytes | None, int]]:
    """Yield each payload with where it ends; None for a damaged one; nothing for one that is not whole yet."""
    position = 0
    while position < limit and position + _FRAME.size <= len(data):
        magic, length, checksum = _FRAME.unpack_from(data, position)
        if magic != _MAGIC or length > _LONGEST:
            yield None, position
            return
        end = position + _FRAME.size + length
        if end > len(data):
            return
        payload = data[position + _FRAME.size : end]
        yield (payload if zlib.crc32(payload) == checksum else None), end
        position = end


def _envelope(payload: bytes) -> Envelope | None:
    try:
        fields: dict[str, Any] = orjson.loads(payload)
        raw: dict[str, Any] = fields["r"]
        record = DecisionRecord(
            **{**raw, "outcome": Outcome(raw["outcome"]), "degraded": tuple(raw["degraded"])},
        )
        return Envelope(RecordKind(fields["k"]), fields["n"], record)
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None
