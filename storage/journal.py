"""The durable local queue of decisions: one writer per worker, records that survive the death of the process.

A file is a row of frames: magic, length, CRC-32, then one JSON envelope (version, instance, segment file, counter,
kind, record). An exchange is written twice: `opened` before the first byte goes upstream, with the row to keep if
nothing more is heard of it, and `closed` before the answer ends. A writer holds a lock on `<writer>.lock` as long as it
lives; who can take that lock knows the writer is dead.
"""

from __future__ import annotations

import asyncio
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
    """What was read from a segment: the envelopes, where reading goes on, and whether the rest is damaged."""

    envelopes: tuple[Envelope, ...]
    offset: int
    torn: bool


class Journal:
    """One worker's writer. A write is one system call; `flush_forever` makes it durable against the machine too."""

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
        self._flushed = asyncio.Condition()
        self._flushed_counter = 0
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(folder / f"{self._writer}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            self._open_segment()
        except OSError as exc:
            raise JournalError(f"journal {folder}: {exc.strerror}") from exc

    def opened(self, record: DecisionRecord) -> None:
        """Note that an exchange goes upstream; `record` is the row should it never close. Raises JournalError."""
        self._append(RecordKind.OPENED, record)

    async def closed(self, record: DecisionRecord) -> None:
        """Write the whole decision; with `sync: machine` return only once it is on the disk. Raises JournalError."""
        counter = self._append(RecordKind.CLOSED, record)
        if self._sync is Sync.MACHINE:
            async with self._flushed:
                await self._flushed.wait_for(lambda: self._flushed_counter >= counter)

    async def flush_forever(self, interval: float = 0.1) -> None:
        """Push what was written to the disk every `interval` seconds, one call for all who wait."""
        while True:
            await asyncio.sleep(0.002 if self._sync is Sync.MACHINE else interval)
            counter, descriptor = self._counter, self._segment
            if counter > self._flushed_counter:
                try:
                    await asyncio.to_thread(os.fdatasync, descriptor)
                except OSError:
                    continue  # replaced just now, which has flushed it; a disk that fails will fail the writes too
                async with self._flushed:
                    self._flushed_counter = counter
                    self._flushed.notify_all()

    def close(self) -> None:
        """Flush, and let go of the lock so that the shipper may take over what is left."""
        os.fdatasync(self._segment)
        os.close(self._segment)
        os.close(self._lock)

    def _append(self, kind: RecordKind, record: DecisionRecord) -> int:
        envelope = {
            "v": VERSION,
            "i": self._instance,
            "f": self._number,
            "n": self._counter + 1,
            "k": kind,
            "r": record,
        }
        payload = orjson.dumps(envelope)
        frame = _FRAME.pack(_MAGIC, len(payload), zlib.crc32(payload)) + payload
        try:
            if self._written + len(frame) > self._segment_size:
                self._rotate()
            self._write(frame)
        except OSError as exc:
            raise JournalError(f"journal: {exc.strerror}") from exc
        self._counter += 1
        return self._counter

    def _write(self, frame: bytes) -> None:
        written = os.write(self._segment, frame)
        if written != len(frame):  # the disk is full: a torn frame would hide all that follows it
            os.ftruncate(self._segment, self._written)
            raise OSError(28, "no space left on device")
        self._written += written

    def _rotate(self) -> None:
        held = sum(file.stat().st_size for file in self._folder.glob(f"{self._writer}.*.jnl"))
        if held > self._disk_limit:
            raise OSError(28, "journal is full: decisions are not being shipped")
        os.fdatasync(self._segment)
        os.close(self._segment)
        self._open_segment()

    def _open_segment(self) -> None:
        self._number += 1
        name = segment_name(self._writer, self._number)
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
        self._segment = os.open(self._folder / name, flags, 0o600)
        self._written = 0


def journal_size(folder: Path) -> int:
    """Return how many bytes lie in the journals of all instances below `folder`."""
    return sum(file.stat().st_size for file in folder.rglob("*.jnl"))


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
    position = 0
    torn = False
    for frame, end in _frames(data, limit):
        envelope = None if frame is None else _envelope(frame)
        if envelope is None:
            torn = True
            break
        envelopes.append(envelope)
        position = end
    return Tail(tuple(envelopes), offset + position, torn)


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
