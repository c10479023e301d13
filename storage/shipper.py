"""From the journal to the sinks: read every writer's segments, ship what closed, adopt what the dead left behind."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import orjson

from detectors.errors import DatabaseUnavailableError, StorageError
from storage.journal import RecordKind, read_segment
from storage.types import DecisionRecord, Sink

BATCH = 500
INTERVAL = 0.2  # seconds between looks


class DeadLetters(Protocol):
    """Where a record goes that a sink refuses although it is reachable."""

    async def write_dead_letter(self, record: bytes, reason: str) -> None: ...


@dataclass(slots=True)
class ShippingCounts:
    """What the shipper did since it started; `lag` is how many read records wait to be written."""

    shipped: int = 0
    interrupted: int = 0
    dead_letters: int = 0
    torn_segments: int = 0
    failures: int = 0
    lag: int = 0


@dataclass(slots=True)
class _Segment:
    file: Path
    offset: int = 0
    open_ids: set[str] = field(default_factory=set)
    damaged: bool = False


@dataclass(slots=True)
class _Writer:
    """What is known of one worker's journal: its segments in order and the exchanges that have not closed."""

    name: str
    segments: dict[Path, _Segment] = field(default_factory=dict)
    open: dict[str, DecisionRecord] = field(default_factory=dict)
    closed: list[DecisionRecord] = field(default_factory=list)


class Shipper:
    """The only reader of an instance's journal. Writing twice is harmless, so positions live in memory only."""

    def __init__(
        self,
        folder: Path,
        sinks: Sequence[Sink],
        dead_letters: DeadLetters,
        on_shipped: Callable[[Sequence[DecisionRecord]], None] = lambda _records: None,
    ) -> None:
        self._folder, self._sinks, self._dead_letters, self._on_shipped = folder, sinks, dead_letters, on_shipped
        self._writers: dict[str, _Writer] = {}
        self.counts = ShippingCounts()

    async def run_forever(self) -> None:
        """Ship until cancelled; while a sink is away nothing is lost and nothing is removed."""
        while True:
            moved = await self.ship_once()
            if not moved:
                await asyncio.sleep(INTERVAL)

    async def ship_once(self) -> int:
        """Look at every writer once; return how many records were shipped."""
        shipped = 0
        names = await asyncio.to_thread(_writer_names, self._folder)
        for name in names:
            writer = self._writers.setdefault(name, _Writer(name))
            # Asked before reading: what a dying writer wrote last is then read below.
            lock = _lock_of_the_dead(self._folder / f"{name}.lock")
            try:
                shipped += await self._ship_writer(writer, dead=lock is not None)
            finally:
                if lock is not None:
                    os.close(lock)
        return shipped

    async def _ship_writer(self, writer: _Writer, *, dead: bool) -> int:
        exhausted = await asyncio.to_thread(self._read, writer)
        if dead and exhausted:
            self._mark_torn_tails(writer)
            self.counts.interrupted += len(writer.open)
            writer.closed += writer.open.values()
            writer.open.clear()
        self.counts.lag = sum(len(w.closed) for w in self._writers.values())
        shipped = 0
        while writer.closed:
            batch = writer.closed[:BATCH]
            if not await self._deliver(batch):
                return shipped
            del writer.closed[: len(batch)]
            shipped += len(batch)
        await asyncio.to_thread(self._tidy, writer, remove_all=dead and exhausted)
        return shipped

    def _read(self, writer: _Writer) -> bool:
        """Take in what is new in every segment; return whether there was nothing left to read."""
        exhausted = True
        for file in sorted(self._folder.glob(f"{writer.name}.*.jnl")):
            segment = writer.segments.setdefault(file, _Segment(file))
            if segment.damaged:
                continue
            tail = read_segment(file, segment.offset)
            exhausted = exhausted and not tail.envelopes
            segment.offset, segment.damaged = tail.offset, tail.torn
            self.counts.torn_segments += tail.torn
            for envelope in tail.envelopes:
                self._take_in(writer, segment, envelope.kind, envelope.record)
        return exhausted

    def _mark_torn_tails(self, writer: _Writer) -> None:
        """What a dead writer left half-written will never become whole."""
        for segment in writer.segments.values():
            if not segment.damaged and segment.file.stat().st_size > segment.offset:
                segment.damaged = True
                self.counts.torn_segments += 1

    def _take_in(self, writer: _Writer, segment: _Segment, kind: RecordKind, record: DecisionRecord) -> None:
        if kind is RecordKind.OPENED:
            writer.open[record.id] = record
            segment.open_ids.add(record.id)
        else:
            writer.open.pop(record.id, None)
            writer.closed.append(record)

    async def _deliver(self, batch: Sequence[DecisionRecord]) -> bool:
        """Write a batch to every sink; a refused one is halved until the poison is alone. False: try again later."""
        try:
            for sink in self._sinks:
                await sink.write(batch)
        except DatabaseUnavailableError:
            self.counts.failures += 1
            return False
        except StorageError as exc:
            if len(batch) == 1:
                return await self._bury(batch[0], exc)
            middle = len(batch) // 2
            return await self._deliver(batch[:middle]) and await self._deliver(batch[middle:])
        self.counts.shipped += len(batch)
        self._on_shipped(batch)
        return True

    async def _bury(self, record: DecisionRecord, why: StorageError) -> bool:
        try:
            await self._dead_letters.write_dead_letter(orjson.dumps(record), str(why))
        except StorageError:
            self.counts.failures += 1
            return False
        self.counts.dead_letters += 1
        return True

    def _tidy(self, writer: _Writer, *, remove_all: bool) -> None:
        """Remove segments whose every exchange is accounted for; the newest one of a living writer stays."""
        segments = sorted(writer.segments.values(), key=lambda s: s.file)
        for segment in segments if remove_all else segments[:-1]:
            still_open = segment.open_ids & writer.open.keys()
            if still_open:
                continue
            if segment.damaged:  # kept for whoever wants to know what was in it
                segment.file.rename(segment.file.with_suffix(".torn"))
            else:
                segment.file.unlink(missing_ok=True)
            del writer.segments[segment.file]
        if remove_all and not writer.segments:
            (self._folder / f"{writer.name}.lock").unlink(missing_ok=True)
            del self._writers[writer.name]


def _writer_names(folder: Path) -> list[str]:
    return sorted({file.name.split(".")[0] for file in folder.glob("*.lock")})


def _lock_of_the_dead(file: Path) -> int | None:
    """Return a descriptor holding the writer's lock if its writer is dead, else None."""
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
