"""One sink's own way through the journal: it reads, delivers and comes back, and nobody waits for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

import orjson
import structlog

from detectors.errors import JournalError, StorageError, UnavailableError
from storage.apart import apart
from storage.chains.canonical import Sealed, unsealed
from storage.journal.positions import Position, load_positions, position_file, save_positions
from storage.journal.reader import BATCH, Batch, JournalReader, Progress
from storage.types import DecisionRecord, Sink

INTERVAL: Final = 0.2  # seconds between looks, and before the first return to a sink that is away
LONGEST_PAUSE: Final = 30.0  # seconds; from there on pauses grow no more
PATIENCE: Final = 60.0  # seconds that one write may take
_LOG: Final = structlog.get_logger("promptshield.courier")
_NO_DEAD_LETTERS: Final = "a refused record cannot be put aside"
UNREADABLE: Final = "no record that this version can read"


@runtime_checkable
class ChainingSink(Sink, Protocol):
    """A sink that chains decisions takes them as they lie in the journal; what nobody could seal is a record."""

    async def write_sealed(self, decisions: Sequence[DecisionRecord | Sealed]) -> None: ...


class DeadLetters(Protocol):
    """Where a record goes that the sink of record refuses although it is reachable."""

    async def write_dead_letter(self, record: bytes, reason: str) -> None: ...


@dataclass(slots=True)
class SinkCounts:
    """What became of the decisions on their way to one sink, since this process began.

    `lost` were skipped because the sink had fallen too far behind, `refused` it would not take: they became dead
    letters if it is the sink of record, else they are in that one only. `failures` are attempts that are made again.
    `lag` is how many decisions wait, `lag_seconds` how long the oldest of them has.
    """

    shipped: int = 0
    interrupted: int = 0
    refused: int = 0
    lost: int = 0
    failures: int = 0
    lag: int = 0
    lag_seconds: float = 0.0


class Courier:
    """Reads the journal for one sink, from where its position file says; a restart repeats one batch at most.

    With `dead_letters` the sink is that of record: what it refuses goes there, and nothing is ever skipped.
    """

    def __init__(
        self,
        folder: Path,
        sink: Sink,
        dead_letters: DeadLetters | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._sink, self._dead_letters, self._clock, self._folder = sink, dead_letters, clock, folder
        self._chaining = sink if isinstance(sink, ChainingSink) else None
        self._file = position_file(folder, sink.name)
        positions = load_positions(self._file)
        self._reader = self._new_reader(positions)
        self._batch: Batch | None = None
        self._skip: dict[str, int] = {}
        self._anew = False
        self.pause = 0.0
        self._woken = asyncio.Event()
        self._patience: asyncio.Timeout | None = None
        self.progress = Progress(positions, {}, frozenset(), frozenset())
        self.counts = SinkCounts()

    @property
    def name(self) -> str:
        return self._sink.name

    @property
    def missing(self) -> int:
        """How many decisions lay in damaged parts of the journal."""
        return self._reader.missing

    async def run_forever(self, dead: Callable[[], frozenset[str]]) -> None:
        """Deliver until cancelled; while the sink is away it is asked again, at growing intervals."""
        while True:
            moved = await self.step(dead())
            # A batch has a price of its own: as long as they are not full, there is one each interval.
            if (moved < BATCH or self.pause) and not self._skip:
                await self._rest(self.pause or INTERVAL)

    async def drain(self, dead: frozenset[str]) -> None:
        """Deliver until there is nothing left or the sink takes no more."""
        while await self.step(dead):
            pass

    async def step(self, dead: frozenset[str]) -> int:
        """Deliver a batch as far as it goes; return how many records are accounted for.

        `dead` are writers known to be dead: what they left open was interrupted.
        """
        batch = await self._next_batch(dead)
        before = len(batch)
        if self._anew:  # told to skip while it read
            return 0
        if self._skip:
            self._discard(batch)
        else:
            await self._deliver(batch)
        if not batch:
            await self._acknowledge(batch)
        return before - len(batch)

    def skip(self, before: Mapping[str, int]) -> None:
        """Give up, at once and counting them, the decisions in segments below these numbers, by writer.

        What was read and not delivered is read again: of other writers and later segments nothing is given up.
        """
        self._skip |= before
        self._anew = True
        self._woken.set()
        if self._patience is not None and not self._patience.expired():
            self._patience.reschedule(asyncio.get_running_loop().time())

    def measure(self, newest: Mapping[str, int]) -> None:
        """Bring `counts` up to date; `newest` is how many decisions each writer has closed, as far as is known."""
        batch = self._batch
        progress = self.progress if batch is None else batch.progress
        behind = (newest[name] - p.decisions for name, p in progress.positions.items() if name in newest)
        self.counts.lag = sum(max(0, count) for count in behind) + (0 if batch is None else len(batch))
        try:
            oldest = batch.records[0].closed_at if batch is not None and batch.records else None
        except ValueError:  # it lies in the journal, and nobody has looked at it yet
            return
        self.counts.lag_seconds = 0.0 if oldest is None else max(0.0, self._clock() - oldest)

    async def close(self) -> None:
        await self._sink.close()

    async def _next_batch(self, dead: frozenset[str]) -> Batch:
        if self._anew:
            self._anew, self._batch = False, None
            self._reader = self._new_reader(self.progress.positions)
        if self._batch is None:
            await apart(self._read, dead)
        return Batch(progress=self.progress) if self._batch is None else self._batch

    def _new_reader(self, positions: Mapping[str, Position]) -> JournalReader:
        return JournalReader(self._folder, positions, sealed=self._chaining is not None)

    def _read(self, dead: frozenset[str]) -> None:
        # Kept here and not returned: whoever is cancelled meanwhile must find it again.
        failures = self._reader.failures
        try:
            self._batch = self._reader.read(dead, self._skip)
        except JournalError:
            self.counts.failures += 1
        self.counts.failures += self._reader.failures - failures

    def _discard(self, batch: Batch) -> None:
        self.counts.lost += len(batch)
        batch.records.clear()
        batch.foreign.clear()

    async def _acknowledge(self, batch: Batch) -> None:
        if self._batch is None:
            return
        progress, self._batch = batch.progress, None
        self.counts.interrupted += batch.interrupted
        if progress.positions != self.progress.positions:
            try:
                await apart(save_positions, self._file, progress.positions)
            except JournalError:
                self.counts.failures += 1  # then a restart repeats more than a batch
        self.progress = progress
        self._skip = {
            name: number
            for name, number in self._skip.items()
            if name in progress.positions
            and name not in progress.finished
            and progress.positions[name].segment < number
        }

    async def _deliver(self, batch: Batch) -> None:
        """Deliver from the front, so that what is left is what is not accounted for."""
        size, records = len(batch.records), batch.records
        while records:
            part = records[:size]
            try:
                await self._write(part)
                self.counts.shipped += len(part)
            except UnavailableError as exc:
                return self._come_back_later(str(exc))
            except StorageError as exc:
                if len(part) > 1:
                    size = len(part) // 2  # until the poison is alone
                    continue
                if not await self._refuse(_legible(part[0]), str(exc)):
                    return self._come_back_later(_NO_DEAD_LETTERS)
            self.pause = 0.0
            del records[: len(part)]
            size *= 2
        while batch.foreign:
            if not await self._refuse(batch.foreign[0], UNREADABLE):
                return self._come_back_later(_NO_DEAD_LETTERS)
            del batch.foreign[0]
        return None

    async def _write(self, decisions: Sequence[DecisionRecord | Sealed]) -> None:
        try:
            async with asyncio.timeout(PATIENCE) as self._patience:
                if self._chaining is not None:
                    await self._chaining.write_sealed(decisions)
                else:
                    await self._sink.write([record for record in decisions if isinstance(record, DecisionRecord)])
        except TimeoutError as exc:
            raise UnavailableError(f"{self._sink.name}: no answer") from exc
        finally:
            self._patience = None

    async def _refuse(self, record: bytes, why: str) -> bool:
        if self._dead_letters is not None:
            try:
                async with asyncio.timeout(PATIENCE):
                    await self._dead_letters.write_dead_letter(record, why)
            except (StorageError, TimeoutError):
                return False
        self.counts.refused += 1
        return True

    def _come_back_later(self, why: str) -> None:
        if not self.pause:  # once, not at each of the attempts that follow
            _LOG.warning("a sink takes no decisions for now", sink=self.name, problem=why)
        self.counts.failures += 1
        self.pause = min(LONGEST_PAUSE, 2 * self.pause or INTERVAL)

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return
        self._woken.clear()


def _legible(decision: DecisionRecord | Sealed) -> bytes:
    """Return a decision as JSON, or what there is of it."""
    try:
        return orjson.dumps(unsealed(decision) if isinstance(decision, Sealed) else decision)
    except ValueError:
        return decision.canonical if isinstance(decision, Sealed) else b""
