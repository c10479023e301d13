"""From the journal to the sinks: read every writer's segments, ship what closed, adopt what the dead left behind."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

import orjson

from detectors.errors import DatabaseUnavailableError, JournalError, StorageError
from storage.journal import Envelope, RecordKind, read_segment, size_of
from storage.types import DecisionRecord, Sink

BATCH = 500
READ_AHEAD = 2_000  # records that wait in memory, about; what more there is stays on the disk
READ_SIZE = 1 << 20
INTERVAL = 0.2  # seconds between looks
Result = TypeVar("Result")


class DeadLetters(Protocol):
    """Where a record goes that a sink refuses although it is reachable."""

    async def write_dead_letter(self, record: bytes, reason: str) -> None: ...


@dataclass(slots=True)
class ShippingCounts:
    """What the shipper did since it started; `lag` is how many read records wait to be written.

    `failures` counts what is tried again: a sink that is away, files that cannot be read or removed.
    """

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
    complete: bool = False  # read to its end, and its writer has gone on to the next


@dataclass(slots=True)
class _Writer:
    """What is known of one worker's journal: its segments in order and the exchanges that have not closed."""

    name: str
    segments: dict[Path, _Segment] = field(default_factory=dict)
    open: dict[str, DecisionRecord] = field(default_factory=dict)
    closed: list[DecisionRecord] = field(default_factory=list)
    foreign: list[bytes] = field(default_factory=list)

    @property
    def waiting(self) -> int:
        return len(self.closed) + len(self.foreign)


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
        for name in await _apart(_writer_names, self._folder):
            writer = self._writers.setdefault(name, _Writer(name))
            # Asked before reading: what a dying writer wrote last is then read below.
            lock = _lock_of_the_dead(self._folder / f"{name}.lock")
            try:
                shipped += await self._ship_writer(writer, dead=lock is not None)
            except JournalError:
                self.counts.failures += 1  # the other writers' files may be better
            finally:
                if lock is not None:
                    os.close(lock)
        return shipped

    async def _ship_writer(self, writer: _Writer, *, dead: bool) -> int:
        exhausted = await _apart(self._read, writer)
        if dead and exhausted:
            await _apart(self._adopt, writer)
        shipped = await self._deliver_all(writer)
        self.counts.lag = self._waiting()
        if not writer.waiting:
            await _apart(self._tidy, writer, dead and exhausted)
        return shipped

    def _waiting(self) -> int:
        return sum(writer.waiting for writer in self._writers.values())

    def _read(self, writer: _Writer) -> bool:
        """Take in what is new, as far as memory allows; return whether nothing is left to read."""
        files = sorted(self._folder.glob(f"{writer.name}.*.jnl"))
        for file in files:
            segment = writer.segments.setdefault(file, _Segment(file))
            while not (segment.damaged or segment.complete):
                if self._waiting() >= READ_AHEAD:
                    return False
                if not self._read_on(writer, segment):
                    # A segment that a younger one follows gets no more records.
                    segment.complete = file != files[-1] and segment.offset == size_of(file)
                    break
        return True

    def _read_on(self, writer: _Writer, segment: _Segment) -> bool:
        """Take in the next records of a segment; return whether there were any."""
        start = segment.offset
        tail = read_segment(segment.file, start, READ_SIZE)
        for envelope in tail.envelopes:
            self._take_in(writer, segment, envelope)
        writer.foreign += tail.foreign
        segment.offset, segment.damaged = tail.offset, tail.torn
        self.counts.torn_segments += tail.torn
        return tail.offset > start

    def _take_in(self, writer: _Writer, segment: _Segment, envelope: Envelope) -> None:
        record = envelope.record
        if envelope.kind is RecordKind.OPENED:
            writer.open[record.id] = record
            segment.open_ids.add(record.id)
        else:
            writer.open.pop(record.id, None)
            writer.closed.append(record)

    def _adopt(self, writer: _Writer) -> None:
        """What a dead writer left open will never close, and what it left half-written never become whole."""
        for segment in writer.segments.values():
            if not segment.damaged and size_of(segment.file) > segment.offset:
                segment.damaged = True
                self.counts.torn_segments += 1
        self.counts.interrupted += len(writer.open)
        writer.closed += writer.open.values()
        writer.open.clear()

    async def _deliver_all(self, writer: _Writer) -> int:
        """Write what waits, as far as it goes; return how many records are accounted for."""
        shipped = 0
        while writer.closed:
            batch = writer.closed[:BATCH]
            done = await self._deliver(batch)
            del writer.closed[:done]
            shipped += done
            if done < len(batch):
                return shipped
        while writer.foreign and await self._bury(writer.foreign[0], "no record that this version can read"):
            del writer.foreign[0]
            shipped += 1
        return shipped

    async def _deliver(self, batch: Sequence[DecisionRecord]) -> int:
        """Write a batch to every sink; a refused one is halved until the poison is alone.

        Return how many, from the first on, are accounted for; the rest is to be tried again later.
        """
        try:
            for sink in self._sinks:
                await sink.write(batch)
        except DatabaseUnavailableError:
            self.counts.failures += 1
            return 0
        except StorageError as exc:
            if len(batch) == 1:
                return int(await self._bury(orjson.dumps(batch[0]), str(exc)))
            middle = len(batch) // 2
            done = await self._deliver(batch[:middle])
            return done if done < middle else done + await self._deliver(batch[middle:])
        self.counts.shipped += len(batch)
        self._on_shipped(batch)
        return len(batch)

    async def _bury(self, record: bytes, why: str) -> bool:
        try:
            await self._dead_letters.write_dead_letter(record, why)
        except StorageError:
            self.counts.failures += 1
            return False
        self.counts.dead_letters += 1
        return True

    def _tidy(self, writer: _Writer, remove_all: bool) -> None:
        """Remove segments whose every exchange is accounted for; the newest one of a living writer stays."""
        segments = sorted(writer.segments.values(), key=lambda s: s.file)
        for segment in segments if remove_all else segments[:-1]:
            accounted = remove_all or segment.complete or segment.damaged
            if not accounted or segment.open_ids & writer.open.keys():
                continue
            # What is damaged is kept for whoever wants to know what was in it.
            _remove(segment.file, keep_as=segment.file.with_suffix(".torn") if segment.damaged else None)
            del writer.segments[segment.file]
        if remove_all and not writer.segments:
            _remove(self._folder / f"{writer.name}.lock")
            del self._writers[writer.name]


def _remove(file: Path, keep_as: Path | None = None) -> None:
    """Unlink a file, or rename it; one that is gone is fine. Raises JournalError."""
    try:
        if keep_as is None:
            file.unlink()
        else:
            file.rename(keep_as)
    except FileNotFoundError:
        return
    except OSError as exc:
        raise JournalError(f"journal {file.name}: {exc.strerror}") from exc


async def _apart(work: Callable[..., Result], *args: object) -> Result:
    """Work on files in a thread. A thread outlives whoever was cancelled waiting for it: wait it out, for our state."""
    running = asyncio.ensure_future(asyncio.to_thread(work, *args))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise


def _writer_names(folder: Path) -> list[str]:
    """Segments without a lock file count too: whoever lost it is not to lose the decisions as well."""
    return sorted({file.name.split(".")[0] for file in folder.glob("*") if file.suffix in {".lock", ".jnl"}})


def _lock_of_the_dead(file: Path) -> int | None:
    """Return a descriptor holding the writer's lock if its writer is dead, else None."""
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
