"""Whoever keeps the journal's house: sends a courier to each sink, adopts the dead, and removes what all have read."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import structlog

from detectors.errors import JournalError
from storage.apart import apart
from storage.journal.courier import INTERVAL, LONGEST_PAUSE, Courier, DeadLetters, SinkCounts
from storage.journal.folder import (
    CARRIED,
    carry_over,
    journal_size,
    lock_name,
    lock_of_the_dead,
    read_tail,
    remove,
    segment_name,
    size_of,
    writers_in,
    written_at,
)
from storage.journal.frames import last_frame
from storage.journal.reader import Progress
from storage.types import Sink

_LOG: Final = structlog.get_logger("promptshield.shipper")
Result = TypeVar("Result")

BACKLOG_SHARE: Final = 0.5  # of the journal's bound; what only lagging sinks still want may take no more


@dataclass(slots=True)
class ShippingCounts:
    """What happened since the process began; `bytes` is what segments take on the disk.

    `missing` are decisions in damaged parts of segments; `file_failures` are files that could not be read or removed.
    """

    sinks: dict[str, SinkCounts] = field(default_factory=dict)
    interrupted: int = 0
    dead_letters: int = 0
    torn_segments: int = 0
    missing: int = 0
    file_failures: int = 0
    bytes: int = 0


class Shipper:
    """The only reader of an instance's journal. The first of the `sinks` is that of record.

    Segments go once every sink has accounted for them. What the sink of record has accounted for is kept for the
    others up to half of `disk_limit` bytes; then those that lag skip the oldest, and count what they lose.
    """

    def __init__(
        self,
        folder: Path,
        sinks: Sequence[Sink],
        dead_letters: DeadLetters,
        disk_limit: int = 1 << 30,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder, self._backlog_limit = folder, int(disk_limit * BACKLOG_SHARE)
        self._record = Courier(folder, sinks[0], dead_letters, clock)
        self._others = [Courier(folder, sink, None, clock) for sink in sinks[1:]]
        self._couriers = [self._record, *self._others]
        self._found: dict[str, list[int]] = {}
        self._dead: dict[str, int] = {}  # writers whose locks we hold, by name
        self._newest: dict[str, int] = {}
        self._torn: frozenset[tuple[str, int]] = frozenset()
        self.counts = ShippingCounts({courier.name: courier.counts for courier in self._couriers})

    async def run_forever(self) -> None:
        """Ship until cancelled; while the sink of record is away nothing is lost and nothing is removed."""
        async with asyncio.TaskGroup() as group:
            for courier in self._couriers:
                group.create_task(self._attend(courier))
            while True:
                await self.keep_house()
                await asyncio.sleep(INTERVAL)

    async def ship_once(self) -> int:
        """Let every courier go once; return how many records were accounted for, over all sinks."""
        await self.keep_house()
        dead = frozenset(self._dead)
        moved = await self._together([courier.step(dead) for courier in self._couriers])
        await self.keep_house()
        return sum(moved)

    async def drain(self) -> None:
        """Ship what is left, each sink at its own pace, until it is all there or the sink takes no more."""
        await self.keep_house()
        dead = frozenset(self._dead)
        await self._together([courier.drain(dead) for courier in self._couriers])
        await self.keep_house()

    async def close(self) -> None:
        """Let go of the sinks and of the dead writers' locks."""
        await self._together([courier.close() for courier in self._couriers])
        while self._dead:
            os.close(self._dead.popitem()[1])

    async def keep_house(self) -> None:
        """Look who writes and who died, hold the backlog within its bound, remove what is accounted for."""
        await apart(self._look)
        cut = await apart(self._cut)
        for courier in self._others:
            behind = {name: number for name, number in cut.items() if not _has_reached(courier.progress, name, number)}
            if behind:
                courier.skip(behind)
        await apart(self._tidy, [courier.progress for courier in self._couriers])
        self._measure()

    async def _attend(self, courier: Courier) -> None:
        """Send a courier off again whenever it falls."""
        while True:
            (fault,) = await asyncio.gather(courier.run_forever(lambda: frozenset(self._dead)), return_exceptions=True)
            self._note_fault(courier, fault)
            await asyncio.sleep(LONGEST_PAUSE)

    async def _together(self, doing: Sequence[Coroutine[Any, Any, Result]]) -> list[Result]:
        """Return what those couriers did that did not fall. One sink's fault is not to stop the others."""
        done = await asyncio.gather(*doing, return_exceptions=True)
        for courier, result in zip(self._couriers, done, strict=True):
            if isinstance(result, BaseException):
                self._note_fault(courier, result)
        return [result for result in done if not isinstance(result, BaseException)]

    def _note_fault(self, courier: Courier, fault: object) -> None:
        # Only its kind: the message of somebody else's exception may quote a record.
        _LOG.error("a sink broke down, it is tried again later", sink=courier.name, error=type(fault).__name__)
        courier.counts.failures += 1

    def _look(self) -> None:
        try:
            self._found = writers_in(self._folder)
        except JournalError:
            self.counts.file_failures += 1
        for writer in self._found.keys() - self._dead.keys():
            lock = lock_of_the_dead(self._folder, writer)
            if lock is not None:
                self._dead[writer] = lock
        self._for_each_writer(self._note_newest)
        self.counts.bytes = journal_size(self._folder)

    def _for_each_writer(self, work: Callable[[str, Sequence[int]], None]) -> None:
        for writer, numbers in self._found.items():
            try:
                work(writer, numbers)
            except JournalError:
                self.counts.file_failures += 1  # the other writers' files may be better

    def _note_newest(self, writer: str, numbers: Sequence[int]) -> None:
        frame = last_frame(read_tail(self._folder / segment_name(writer, numbers[-1]))) if numbers else None
        if frame is not None:
            self._newest[writer] = frame[2]

    def _cut(self) -> dict[str, int]:
        """Return, by writer, below which number segments must go for the backlog to keep its bound: the oldest."""
        kept = [
            (written_at(file), size_of(file), writer, number)
            for writer, numbers in self._found.items()
            for number in numbers
            if _has_reached(self._record.progress, writer, number + 1)
            for file in [self._folder / segment_name(writer, number)]
        ]
        excess = sum(size for _, size, *_ in kept) - self._backlog_limit
        cut: dict[str, int] = {}
        for _, size, writer, number in sorted(kept):
            if excess <= 0:
                break
            cut[writer] = max(cut.get(writer, 0), number + 1)
            excess -= size
        return cut

    def _tidy(self, standing: Sequence[Progress]) -> None:
        """Remove what every courier has accounted for; `standing` is where they stood at one moment."""

        def tidy(writer: str, numbers: Sequence[int]) -> None:
            if writer in self._dead and all(writer in progress.finished for progress in standing):
                self._bury(writer, numbers)
            else:
                self._remove_read(writer, numbers, standing)

        self._for_each_writer(tidy)

    def _remove_read(self, writer: str, numbers: Sequence[int], standing: Sequence[Progress]) -> None:
        """Remove the segments that every courier has behind it, oldest first."""
        open_frames = standing[0].open.get(writer)
        read = [
            number
            for number in numbers
            if number != CARRIED and all(_has_passed(progress, writer, number) for progress in standing)
        ]
        if not read or open_frames is None:
            return
        # First, or the end of a long exchange would outlive its beginning.
        carry_over(self._folder, writer, open_frames)
        for number in read:
            self._remove(writer, number)

    def _bury(self, writer: str, numbers: Sequence[int]) -> None:
        # In this order: whatever a crash leaves, no exchange is left without its end.
        for number in numbers:
            self._remove(writer, number)
        remove(self._folder / lock_name(writer))
        os.close(self._dead.pop(writer))
        self._newest.pop(writer, None)

    def _remove(self, writer: str, number: int) -> None:
        torn = (writer, number) in self._record.progress.torn
        # What is damaged is kept for whoever wants to know what was in it.
        remove(self._folder / segment_name(writer, number), keep=torn)

    def _measure(self) -> None:
        torn = self._record.progress.torn
        self.counts.torn_segments += len(torn - self._torn)
        self._torn = torn
        self.counts.missing = self._record.missing
        for courier in self._couriers:
            courier.measure(self._newest)
        self.counts.interrupted = self._record.counts.interrupted
        self.counts.dead_letters = self._record.counts.refused


def _has_passed(progress: Progress, writer: str, number: int) -> bool:
    """Whether a courier has read on beyond a segment. Of a new writer it may not know yet."""
    return writer in progress.positions and progress.positions[writer].segment > number


def _has_reached(progress: Progress, writer: str, number: int) -> bool:
    return writer in progress.finished or _has_passed(progress, writer, number - 1)
