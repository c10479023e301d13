"""One reader of a journal: what closed, in order, batch by batch, from where it stands in each writer's segments."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import islice
from math import inf
from pathlib import Path
from typing import Final

from detectors.errors import JournalError
from storage.chains.canonical import Sealed
from storage.journal.folder import read_piece, segment_name, writers_in
from storage.journal.frames import (
    CLOSED,
    HOLE,
    LONGEST,
    OPENED,
    OVERHEAD,
    SEALED,
    closed_record,
    interrupted_record,
    legible,
    scan,
    sealed_in,
)
from storage.journal.positions import Position
from storage.types import DecisionRecord

BATCH: Final = 2000  # records
BATCH_SIZE: Final = 8 << 20  # bytes of their frames, about
PIECE: Final = 256 << 10  # bytes read at once: they stay in the cache of the processor
REACH: Final = 2 * (LONGEST + OVERHEAD)  # bytes read at once where no frame is found


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a reader stands once its batch is accounted for.

    `open` holds, by writer, the `opened` frames of exchanges that have not closed, in the order of their opening; of
    a writer that a new reader has not yet read as far as the last one, nothing. `finished` are dead writers of whom
    nothing is left to read; `torn` names damaged segments by writer and number.
    """

    positions: Mapping[str, Position]
    open: Mapping[str, tuple[bytes, ...]]
    finished: frozenset[str]
    torn: frozenset[tuple[str, int]]


@dataclass(slots=True)
class Batch:
    """Records to deliver, and whole frames that are no records of this version."""

    records: list[DecisionRecord | Sealed] = field(default_factory=list)
    foreign: list[bytes] = field(default_factory=list)
    interrupted: int = 0
    size: int = 0  # bytes of all their frames
    progress: Progress = Progress({}, {}, frozenset(), frozenset())

    @property
    def full(self) -> bool:
        return self.size >= BATCH_SIZE or len(self) >= BATCH

    def __len__(self) -> int:
        """How many are not accounted for yet: whoever delivers them takes them out."""
        return len(self.records) + len(self.foreign)

    def add(self, record: DecisionRecord | Sealed | None, frame: bytes) -> None:
        """Take what a frame holds, None if that cannot be read."""
        if record is None:
            self.foreign.append(legible(frame))
        else:
            self.records.append(record)
        self.size += len(frame)


@dataclass(slots=True)
class _Writer:
    """What is known of one worker's journal. What ends at or before `resume` was delivered by an earlier reader."""

    name: str
    resume: Position
    segment: int
    offset: int = 0
    open: dict[bytes, bytes] = field(default_factory=dict)
    interrupted: int = 0
    decisions: int = 0
    torn: set[int] = field(default_factory=set)
    after_hole: bool = False
    finished: bool = False

    def note_hole(self) -> None:
        self.torn.add(self.segment)
        self.after_hole = True

    @property
    def known(self) -> float:
        """How many bytes of the current segment an earlier reader has delivered."""
        if self.segment == self.resume.segment:
            return self.resume.offset
        return inf if self.segment < self.resume.segment else 0

    @property
    def caught_up(self) -> bool:
        """Whether what was delivered before has been read again."""
        return (self.segment, self.offset) >= (self.resume.segment, self.resume.offset)

    @property
    def position(self) -> Position:
        return Position(self.segment, self.offset, self.interrupted, self.decisions)


class JournalReader:
    """Reads a folder of segments; not safe for use by two threads at once.

    `sealed`: what is sealed is left so, for whoever chains it; else every decision is a record.
    `failures` counts looks at files that could not be read, `missing` the decisions that lay in damaged parts.
    """

    def __init__(self, folder: Path, positions: Mapping[str, Position], *, sealed: bool = False) -> None:
        self._folder, self._resume, self._sealed = folder, positions, sealed
        self._writers: dict[str, _Writer] = {}
        self._turn = 0
        self.failures = self.missing = 0

    def read(self, dead: frozenset[str], before: Mapping[str, int] | None = None) -> Batch:
        """Return what is new, at most a batch; of these writers' segments below these numbers only, where `before` says
        so. Raises JournalError.

        `dead` are writers that were known to be dead before this call: what they left open was interrupted.
        """
        batch = Batch()
        found = writers_in(self._folder)
        for name in self._writers.keys() - found.keys():
            del self._writers[name]
        for name in self._in_turn(found.keys() & before.keys() if before else found.keys()):
            try:
                self._read_writer(name, found[name], batch, (before or {}).get(name), dead=name in dead)
            except JournalError:
                self.failures += 1  # the other writers' files may be better
            if batch.full:
                break
        batch.progress = self._progress(found)
        return batch

    def _in_turn(self, names: Collection[str]) -> list[str]:
        """Begin with another writer each time, so that a long backlog of one does not keep the others waiting."""
        ordered = sorted(names)
        self._turn += 1
        start = self._turn % len(ordered) if ordered else 0
        return ordered[start:] + ordered[:start]

    def _read_writer(self, name: str, numbers: list[int], batch: Batch, before: int | None, *, dead: bool) -> None:
        writer = self._writers.get(name)
        if writer is None:
            resume = self._resume.get(name, Position(0, 0))
            writer = self._writers[name] = _Writer(name, resume, numbers[0] if numbers else 0)
        for number in numbers:
            if number < writer.segment:
                continue
            if number > writer.segment:
                writer.segment, writer.offset = number, 0
            if before is not None and number >= before:
                return
            # A segment that a younger one follows gets no more records, nor does a dead writer's.
            self._read_segment(writer, batch, final=dead or number != numbers[-1])
            if batch.full:
                return
        if dead:
            self._adopt(writer, batch)

    def _read_segment(self, writer: _Writer, batch: Batch, *, final: bool) -> None:
        file = self._folder / segment_name(writer.name, writer.segment)
        size = PIECE
        while not batch.full:
            start, piece = writer.offset, read_piece(file, writer.offset, size)
            ended = len(piece) < size
            self._take_in(writer, piece, batch, final=final and ended)
            if ended:
                return
            if writer.offset > start:
                size = PIECE
            elif size < REACH:
                size = min(REACH, 4 * size)
            else:
                # Any frame that begins in the first half would be whole in this piece.
                writer.note_hole()
                writer.offset += REACH // 2

    def _take_in(self, writer: _Writer, piece: bytes, batch: Batch, *, final: bool) -> None:
        """Take in the frames of a piece that begins where the writer was read to, as far as the batch holds them."""
        base, known, open_frames = writer.offset, writer.known, writer.open
        for kind, record_id, decisions, start, end in scan(piece, final=final):
            writer.offset = base + end
            if kind == HOLE:
                writer.note_hole()
                continue
            if writer.after_hole:
                self._count_missing(writer, decisions, closed=kind in {CLOSED, SEALED})
            writer.decisions = decisions or writer.decisions
            frame = piece[start:end]
            if kind == OPENED:
                open_frames[record_id] = frame
                continue
            open_frames.pop(record_id, None)
            if base + end > known:
                if kind == SEALED and self._sealed:
                    batch.add(sealed_in(frame), frame)
                else:
                    batch.add(closed_record(frame) if kind in {CLOSED, SEALED} else None, frame)
                if batch.full:
                    return

    def _count_missing(self, writer: _Writer, decisions: int, *, closed: bool) -> None:
        """The first frame after damage tells how many decisions its writer had closed meanwhile."""
        writer.after_hole = False
        if writer.decisions and decisions:
            self.missing += decisions - writer.decisions - closed

    def _adopt(self, writer: _Writer, batch: Batch) -> None:
        """What a dead writer left open will never close."""
        writer.interrupted = max(writer.interrupted, writer.resume.interrupted)
        for raw in islice(writer.open.values(), writer.interrupted, None):
            if batch.full:
                return
            record = interrupted_record(raw)
            batch.add(record, raw)
            batch.interrupted += record is not None
            writer.interrupted += 1
        writer.finished = True

    def _progress(self, found: Collection[str]) -> Progress:
        writers = self._writers.values()
        caught_up = [w for w in writers if w.finished or w.caught_up]
        # Whoever was not read yet stands where the last reader left off.
        positions = {name: position for name, position in self._resume.items() if name in found}
        return Progress(
            positions | {w.name: max(w.position, w.resume) for w in writers},
            {w.name: tuple(w.open.values()) for w in caught_up},
            frozenset(w.name for w in writers if w.finished),
            frozenset((w.name, number) for w in writers for number in w.torn),
        )
