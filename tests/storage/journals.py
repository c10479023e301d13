"""What tests of the journal share: records as they open, files as they lie, and a sink that remembers."""

from __future__ import annotations

import asyncio
import fcntl
import zlib
from collections.abc import Callable, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, Final

from detectors.errors import DatabaseUnavailableError, StorageError, UnavailableError
from storage.chains.canonical import Sealed
from storage.decisions.writer import PostgresSink
from storage.journal import frames
from storage.journal.reader import Batch
from storage.journal.shipper import Shipper
from storage.types import DecisionRecord, OpenedRecord, Outcome
from storage.uuid7 import uuid7

OPENED_FIELDS: Final = tuple(field.name for field in fields(OpenedRecord))

# The beginning of a child that writes a journal; what it does with `write` and `open_one` follows.
WRITER: Final = """
import asyncio, os, resource, signal, sys
from pathlib import Path
from detectors.errors import JournalError
from storage.journal.journal import Journal, Sync
from tests.storage.journals import a_record, opened_of

tenant = int(sys.argv[2])
journal = Journal(Path(sys.argv[1]), segment_size=int(sys.argv[3]))
"""


def opened_of(record: DecisionRecord) -> OpenedRecord:
    """What was known of a decision when it went upstream."""
    return OpenedRecord(**{name: getattr(record, name) for name in OPENED_FIELDS})


def a_record(tenant_id: int = 1, **given: object) -> DecisionRecord:
    """A plain decision, for children and for tests without a database."""
    required = (field.name for field in fields(DecisionRecord) if field.default is MISSING)
    values: dict[str, Any] = dict.fromkeys(required, "") | {
        "id": uuid7(), "tenant_id": tenant_id, "app_id": None, "key_id": None, "instance": "i1", "worker": 0,
        "streaming": False, "outcome": Outcome.ANSWERED, "status": 200, "confidence": 0.5, "scores": "[]",
        "scores_overflow": False, "facts": "{}", "coverage": "{}", "digests": "{}", "degraded": (),
        "provider_saw_prompt": True, "prompt_tokens": None, "completion_tokens": 7, "overhead_ms": 1.5,
        "upstream_ms": 20.0, "total_ms": 21.5, "closed_at": 1_800_000_000.25, "action": "flag",
        "request_action": "flag",
    }  # fmt: skip
    return DecisionRecord(**(values | given))


def records_in(batch: Batch) -> list[DecisionRecord]:
    """What was read for whoever chains nothing: all of it as records."""
    return [record for record in batch.records if isinstance(record, DecisionRecord)]


def as_values(record: DecisionRecord, decisions: int) -> bytes:
    """The frame of a decision that nobody could seal, as earlier versions wrote all of them."""
    return frames._encode(frames.CLOSED, record.id, frames._CLOSED_VALUES(record), decisions)


def framed(content: bytes) -> bytes:
    """An undamaged frame around whatever content."""
    return b"PSJ2" + len(content).to_bytes(4) + zlib.crc32(content).to_bytes(4) + content


def is_locked(file: Path) -> bool:
    try:
        with file.open() as opened:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def files(folder: Path, suffix: str = ".jnl") -> list[str]:
    """Names by suffix, without the readers' positions."""
    return sorted(f.name for f in folder.glob(f"*{suffix}") if f.suffix != ".position")


def numbers(folder: Path) -> list[int]:
    """Of the segments that there are, all of one writer."""
    return [int(name.split(".")[1]) for name in files(folder)]


class Shelf:
    """A sink that keeps what it was given. While `away` it is not there; what `poison` is true of it refuses."""

    def __init__(self, name: str = "shelf") -> None:
        self.name = name
        self.away = False
        self.poison: Callable[[DecisionRecord], bool] = lambda _record: False
        self.batches: list[list[DecisionRecord]] = []
        self.tries = 0
        self.closed = False
        self.something = asyncio.Event()

    @property
    def ids(self) -> list[str]:
        return [record.id for batch in self.batches for record in batch]

    async def write(self, records: Sequence[DecisionRecord]) -> None:
        self.tries += 1
        if self.away:
            raise UnavailableError("away")
        if any(map(self.poison, records)):
            raise StorageError("poison")
        self.batches.append(list(records))
        self.something.set()

    async def close(self) -> None:
        self.closed = True


class Graves:
    """Dead letters in memory."""

    def __init__(self) -> None:
        self.letters: list[tuple[bytes, str]] = []
        self.away = False

    async def write_dead_letter(self, record: bytes, reason: str) -> None:
        if self.away:
            raise UnavailableError("away")
        self.letters.append((record, reason))


class Door:
    """The real sink behind a door: shut, the database is away; it can also fall shut after some writes."""

    name: Final = "postgres"

    def __init__(self, sink: PostgresSink) -> None:
        self._sink = sink
        self.opens: int | None = None  # how many more writes come back; None for all
        self.writes: list[int] = []

    async def write(self, records: Sequence[DecisionRecord]) -> None:
        await self.write_sealed(records)

    async def write_sealed(self, decisions: Sequence[DecisionRecord | Sealed]) -> None:
        if self.opens == 0:
            raise DatabaseUnavailableError("away")
        if self.opens is not None:
            self.opens -= 1
        await self._sink.write_sealed(decisions)
        self.writes.append(len(decisions))

    async def write_dead_letter(self, record: bytes, reason: str) -> None:
        if self.opens == 0:
            raise DatabaseUnavailableError("away")
        await self._sink.write_dead_letter(record, reason)

    async def close(self) -> None:
        await self._sink.close()


async def ship_all(shipper: Shipper) -> int:
    shipped = 0
    while moved := await shipper.ship_once():
        shipped += moved
    return shipped
