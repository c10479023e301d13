"""From the journal to Postgres: every exchange arrives once, whatever dies, tears or goes away in between."""

from __future__ import annotations

import asyncio
import fcntl
import subprocess
import sys
import zlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import orjson
import pytest

from detectors.errors import DatabaseUnavailableError
from storage import shipper as room
from storage.decisions import PostgresSink
from storage.journal import Journal, Sync
from storage.postgres import Database
from storage.shipper import Shipper
from storage.types import DecisionRecord, Outcome, Tenant
from tests.storage.conftest import DatabaseUrls, MakeRecord, RunStatement

OpenJournal = Callable[..., Journal]
Rows = Callable[[], Awaitable[dict[str, str]]]
NOBODY: Final = 987_654_321  # no tenant has this id


class Door:
    """The real sink behind a door: shut, the database is away; it can also fall shut after some writes."""

    name: Final = "postgres"

    def __init__(self, sink: PostgresSink) -> None:
        self._sink = sink
        self.opens: int | None = None  # how many more writes come back; None for all
        self.writes: list[int] = []

    async def write(self, records: Sequence[DecisionRecord]) -> None:
        if self.opens == 0:
            raise DatabaseUnavailableError("away")
        if self.opens is not None:
            self.opens -= 1
        await self._sink.write(records)
        self.writes.append(len(records))

    async def write_dead_letter(self, record: bytes, reason: str) -> None:
        if self.opens == 0:
            raise DatabaseUnavailableError("away")
        await self._sink.write_dead_letter(record, reason)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def door(database: Database) -> Door:
    return Door(PostgresSink(database))


@pytest.fixture
def shipper(folder: Path, door: Door) -> Shipper:
    return Shipper(folder, [door], door)


def is_locked(file: Path) -> bool:
    try:
        with file.open() as opened:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


@pytest.fixture
def open_journal(folder: Path) -> Iterator[OpenJournal]:
    """Open journals in `folder`; those that a test did not close live until it is done."""
    opened: list[Journal] = []

    def open_one(segment_size: int = 8 << 20) -> Journal:
        opened.append(Journal(folder, "i1", Sync.PROCESS, segment_size))
        return opened[-1]

    yield open_one
    for journal in opened:
        if is_locked(folder / f"{journal._writer}.lock"):
            journal.close()


@pytest.fixture
def rows(as_superuser: RunStatement, tenant: Tenant) -> Rows:
    """The tenant's decisions in the database: outcome by id."""

    async def fetch() -> dict[str, str]:
        found = await as_superuser("SELECT id::text, outcome FROM public.decisions WHERE tenant_id = $1", tenant.id)
        assert len(dict(found)) == len(found)
        return dict(found)

    return fetch


@pytest.fixture
def write(make_record: MakeRecord, tenant: Tenant) -> Callable[..., Awaitable[str]]:
    """Journal a whole exchange, or one that is still open; return its id."""

    async def write_one(journal: Journal, *, close: bool = True, **fields: object) -> str:
        record = make_record(fields.pop("tenant_id", tenant.id), outcome=Outcome.INTERRUPTED, **fields)
        journal.opened(record)
        if close:
            await journal.closed(make_record(record.tenant_id, id=record.id, **fields))
        return record.id

    return write_one


Write = Callable[..., Awaitable[str]]


async def ship_all(shipper: Shipper) -> int:
    shipped = 0
    while moved := await shipper.ship_once():
        shipped += moved
    return shipped


def files(folder: Path, suffix: str = ".jnl") -> list[str]:
    return sorted(file.name for file in folder.glob(f"*{suffix}"))


def only(folder: Path, suffix: str = ".jnl") -> Path:
    (name,) = files(folder, suffix)
    return folder / name


# --- the ordinary way ---------------------------------------------------------------------------------------------


async def test_what_closed_arrives_once(
    open_journal: OpenJournal, shipper: Shipper, write: Write, rows: Rows, door: Door
) -> None:
    journal = open_journal()
    ids = [await write(journal) for _ in range(3)]
    assert await shipper.ship_once() == 3
    ids.append(await write(journal))
    assert await shipper.ship_once() == 1
    assert await shipper.ship_once() == 0
    assert await rows() == dict.fromkeys(ids, "answered")
    assert door.writes == [3, 1]


async def test_a_living_writer_is_left_alone(
    open_journal: OpenJournal, shipper: Shipper, write: Write, rows: Rows, folder: Path
) -> None:
    await write(open_journal(), close=False)
    assert await ship_all(shipper) == 0
    assert await rows() == {}
    assert (len(files(folder)), len(files(folder, ".lock"))) == (1, 1)
    assert shipper.counts.interrupted == 0


async def test_what_a_dead_writer_left_open_was_interrupted(
    open_journal: OpenJournal, shipper: Shipper, write: Write, rows: Rows, folder: Path
) -> None:
    journal = open_journal()
    finished, cut = await write(journal), await write(journal, close=False)
    journal.close()
    assert await ship_all(shipper) == 2
    assert await rows() == {finished: "answered", cut: "interrupted"}
    assert shipper.counts.interrupted == 1
    assert files(folder, "") == []


async def test_an_exchange_may_close_in_a_later_segment(
    open_journal: OpenJournal, shipper: Shipper, make_record: MakeRecord, tenant: Tenant, rows: Rows, folder: Path
) -> None:
    journal, record = open_journal(segment_size=1), make_record(tenant.id)
    journal.opened(record)
    await ship_all(shipper)
    await journal.closed(record)
    journal.close()
    await ship_all(shipper)
    assert await rows() == {record.id: "answered"}
    assert files(folder) == []


async def test_a_segment_goes_when_all_that_was_opened_in_it_is_accounted_for(
    open_journal: OpenJournal, shipper: Shipper, make_record: MakeRecord, tenant: Tenant, folder: Path
) -> None:
    journal = open_journal(segment_size=1)
    slow, quick = make_record(tenant.id), make_record(tenant.id)
    journal.opened(slow)
    await journal.closed(quick)
    await journal.closed(quick)
    await ship_all(shipper)
    await shipper.ship_once()
    assert [name.split(".")[1] for name in files(folder)] == ["000001", "000003"]
    await journal.closed(slow)
    await ship_all(shipper)
    await shipper.ship_once()
    assert [name.split(".")[1] for name in files(folder)] == ["000004"]


async def test_locks_of_the_dead_do_not_pile_up(folder: Path, shipper: Shipper) -> None:
    for _ in range(20):
        Journal(folder, "i1").close()
    (folder / "crashed-before-its-first-segment.lock").touch()
    await shipper.ship_once()
    assert files(folder, "") == []
    assert shipper._writers == {}


async def test_segments_whose_lock_file_was_lost_are_shipped_too(
    open_journal: OpenJournal, shipper: Shipper, write: Write, rows: Rows, folder: Path
) -> None:
    journal = open_journal()
    ids = {await write(journal) for _ in range(3)}
    journal.close()
    only(folder, ".lock").unlink()
    await ship_all(shipper)
    assert (await rows()).keys() == ids
    assert files(folder, "") == []


async def test_a_folder_that_is_not_there_has_nothing_to_ship(shipper: Shipper) -> None:
    assert await shipper.ship_once() == 0


# --- restarts and crashes -----------------------------------------------------------------------------------------


async def test_a_new_shipper_reads_all_again_and_leaves_no_duplicates(
    open_journal: OpenJournal, folder: Path, door: Door, write: Write, rows: Rows
) -> None:
    journal = open_journal(segment_size=4000)
    ids = [await write(journal) for _ in range(20)]
    for _ in range(3):
        await ship_all(Shipper(folder, [door], door))
    cut = await write(journal, close=False)
    journal.close()
    await ship_all(Shipper(folder, [door], door))
    assert await rows() == dict.fromkeys(ids, "answered") | {cut: "interrupted"}


async def test_a_new_shipper_never_removes_what_it_has_not_read(
    open_journal: OpenJournal, folder: Path, door: Door, write: Write, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "READ_SIZE", 1)
    monkeypatch.setattr(room, "READ_AHEAD", 4)
    journal = open_journal(segment_size=20_000)
    ids = {await write(journal) for _ in range(40)}
    before = files(folder)
    shipper = Shipper(folder, [door], door)
    assert await shipper.ship_once() == 4
    assert files(folder) == before
    await ship_all(shipper)
    assert (await rows()).keys() == ids
    assert files(folder) == before[-1:]


async def test_a_crash_after_the_commit_leaves_one_row(
    open_journal: OpenJournal, folder: Path, door: Door, write: Write, rows: Rows
) -> None:
    def crash(_records: Sequence[DecisionRecord]) -> None:
        raise KeyboardInterrupt

    journal = open_journal()
    ids = {await write(journal), await write(journal, close=False)}
    journal.close()
    with pytest.raises(KeyboardInterrupt):
        await Shipper(folder, [door], door, crash).ship_once()
    assert len(await rows()) == 2
    await ship_all(Shipper(folder, [door], door))
    assert (await rows()).keys() == ids


@pytest.mark.parametrize("removed", [0, 1, 3, 4])
async def test_a_crash_between_two_removals_loses_nothing(
    open_journal: OpenJournal, folder: Path, door: Door, write: Write, rows: Rows, removed: int
) -> None:
    journal = open_journal(segment_size=1)
    ids = dict.fromkeys([await write(journal), await write(journal)], "answered")
    journal.close()
    shipper = Shipper(folder, [door], door)
    shipper._tidy = lambda *_: None  # type: ignore[method-assign]
    await shipper.ship_once()
    for name in files(folder)[:removed]:
        (folder / name).unlink()
    await ship_all(Shipper(folder, [door], door))
    assert await rows() == ids
    assert files(folder, "") == []


async def test_a_shipper_that_is_interrupted_anywhere_goes_on_without_loss(
    open_journal: OpenJournal, folder: Path, door: Door, write: Write, rows: Rows
) -> None:
    journal, shipper, ids = open_journal(segment_size=3000), Shipper(folder, [door], door), {}
    for turn in range(30):
        ids[await write(journal)] = "answered"
        shipping = asyncio.ensure_future(shipper.ship_once())
        for _ in range(turn):
            await asyncio.sleep(0)
        shipping.cancel()
        await asyncio.gather(shipping, return_exceptions=True)
    ids[await write(journal, close=False)] = "interrupted"
    journal.close()
    await ship_all(shipper)
    assert await rows() == ids
    assert files(folder, "") == []


WRITER = """
import asyncio, sys
from pathlib import Path
import orjson
from storage.journal import Journal
from storage.types import DecisionRecord, Outcome
from storage.uuid7 import uuid7

pytestmark = pytest.mark.slow

async def main():
    journal = Journal(Path(sys.argv[1]), "i1", segment_size=20_000)
    fields = orjson.loads(sys.argv[2])
    while True:
        fields["id"] = uuid7()
        journal.opened(DecisionRecord(**{**fields, "outcome": Outcome.INTERRUPTED}))
        await journal.closed(DecisionRecord(**{**fields, "outcome": Outcome.ANSWERED}))
        print(fields["id"], flush=True)

asyncio.run(main())
"""


async def test_a_killed_process_loses_no_row_that_it_answered_for(
    folder: Path, shipper: Shipper, make_record: MakeRecord, tenant: Tenant, rows: Rows
) -> None:
    record = orjson.dumps(make_record(tenant.id))
    writer = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, folder, record, stdout=subprocess.PIPE, limit=1 << 20
    )
    assert writer.stdout is not None
    answered = [await writer.stdout.readline() for _ in range(100)]
    writer.kill()
    answered += (await writer.stdout.read()).splitlines()
    await writer.wait()
    await ship_all(shipper)
    assert {line.strip().decode() for line in answered if len(line.strip()) == 36} <= (await rows()).keys()
    assert files(folder, "") == []


# --- the database -------------------------------------------------------------------------------------------------


async def test_while_the_database_is_away_nothing_is_lost_and_nothing_removed(
    open_journal: OpenJournal, shipper: Shipper, door: Door, write: Write, rows: Rows, folder: Path
) -> None:
    door.opens = 0
    dead, living = open_journal(segment_size=3000), open_journal(segment_size=3000)
    ids = [await write(journal) for journal in (dead, living) for _ in range(10)]
    dead.close()
    before = files(folder)
    for _ in range(3):
        assert await shipper.ship_once() == 0
    assert files(folder) == before
    assert (shipper.counts.lag, shipper.counts.failures) == (20, 6)
    door.opens = None
    assert await ship_all(shipper) == 20
    assert await rows() == dict.fromkeys(ids, "answered")
    assert (shipper.counts.lag, shipper.counts.shipped) == (0, 20)


async def test_a_real_database_that_is_gone_counts_as_away(
    open_journal: OpenJournal, folder: Path, migrated: DatabaseUrls, write: Write, shipper: Shipper, rows: Rows
) -> None:
    gone = await Database.connect(migrated.url, size=1)
    await gone.close()
    id_ = await write(open_journal())
    assert await Shipper(folder, [PostgresSink(gone)], PostgresSink(gone)).ship_once() == 0
    await ship_all(shipper)
    assert await rows() == {id_: "answered"}


async def test_a_huge_backlog_is_shipped_in_bounded_memory(
    open_journal: OpenJournal, folder: Path, door: Door, write: Write, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "READ_SIZE", 4000)
    monkeypatch.setattr(room, "READ_AHEAD", 50)
    ids = set[str]()
    for _ in range(2):
        journal = open_journal(segment_size=30_000)
        ids |= {await write(journal) for _ in range(200)}
        journal.close()
    shipper = Shipper(folder, [door], door)
    door.opens = 0
    for _ in range(5):
        await shipper.ship_once()
        assert 50 <= shipper._waiting() < 60
    door.opens = None
    while await shipper.ship_once():
        assert max(door.writes) < 60
    assert (await rows()).keys() == ids
    assert files(folder, "") == []


async def test_a_poison_record_becomes_a_dead_letter_and_the_rest_arrives(
    open_journal: OpenJournal, shipper: Shipper, write: Write, rows: Rows, as_superuser: RunStatement, folder: Path
) -> None:
    await as_superuser("DELETE FROM private.dead_letters")
    journal, ids, poison = open_journal(), [], []
    for number in range(20):
        if number in {3, 11, 19}:
            poison.append(await write(journal, tenant_id=NOBODY))
        ids.append(await write(journal))
    journal.close()
    assert await ship_all(shipper) == 23
    assert await rows() == dict.fromkeys(ids, "answered")
    letters = await as_superuser("SELECT tenant_id, record->>'id', reason FROM private.dead_letters ORDER BY id")
    assert [letter[:2] for letter in letters] == [(NOBODY, id_) for id_ in poison]
    assert all("decisions_tenant_id_fkey" in letter[2] for letter in letters)
    assert (shipper.counts.shipped, shipper.counts.dead_letters) == (20, 3)
    assert files(folder, "") == []


@pytest.mark.parametrize("opens", range(1, 6))
async def test_every_record_is_told_of_once_though_the_database_goes_away_midway(
    open_journal: OpenJournal, folder: Path, door: Door, write: Write, opens: int
) -> None:
    told: list[str] = []
    shipper = Shipper(folder, [door], door, lambda records: told.extend(record.id for record in records))
    journal = open_journal()
    ids = [await write(journal) for _ in range(5)]
    await write(journal, tenant_id=NOBODY)
    ids += [await write(journal) for _ in range(5)]
    door.opens = opens
    await ship_all(shipper)
    door.opens = None
    await ship_all(shipper)
    assert sorted(told) == sorted(ids)
    assert (shipper.counts.shipped, shipper.counts.dead_letters) == (10, 1)


# --- damage -------------------------------------------------------------------------------------------------------


async def test_a_torn_segment_is_kept_and_counted(
    open_journal: OpenJournal, shipper: Shipper, write: Write, rows: Rows, folder: Path
) -> None:
    journal = open_journal()
    ids = {await write(journal) for _ in range(3)}
    journal.close()
    file = only(folder)
    content = file.read_bytes()
    file.write_bytes(content + content[: len(content) // 7])
    await ship_all(shipper)
    assert (await rows()).keys() == ids
    assert shipper.counts.torn_segments == 1
    kept = only(folder, "")
    assert kept.suffix == ".torn"
    assert len(kept.read_bytes()) > len(content)


async def test_damage_in_one_segment_leaves_the_others_whole(
    open_journal: OpenJournal, shipper: Shipper, write: Write, rows: Rows, folder: Path
) -> None:
    journal = open_journal(segment_size=1)
    ids = [await write(journal) for _ in range(3)]
    damaged = folder / files(folder)[3]  # where the second exchange closed
    content = bytearray(damaged.read_bytes())
    content[100] ^= 1
    damaged.write_bytes(content)
    await ship_all(shipper)
    assert files(folder, ".torn") == [damaged.with_suffix(".torn").name]
    journal.close()
    await ship_all(shipper)
    assert await rows() == {ids[0]: "answered", ids[1]: "interrupted", ids[2]: "answered"}
    assert shipper.counts.torn_segments == 1


async def test_half_a_record_of_a_living_writer_is_waited_for(
    open_journal: OpenJournal, shipper: Shipper, write: Write, rows: Rows, folder: Path
) -> None:
    journal = open_journal()
    id_ = await write(journal)
    file = only(folder)
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    assert await ship_all(shipper) == 0
    file.write_bytes(whole)
    await ship_all(shipper)
    assert await rows() == {id_: "answered"}
    assert shipper.counts.torn_segments == 0


async def test_what_another_version_wrote_becomes_a_dead_letter(
    open_journal: OpenJournal, shipper: Shipper, write: Write, rows: Rows, folder: Path, as_superuser: RunStatement
) -> None:
    await as_superuser("DELETE FROM private.dead_letters")
    journal = open_journal()
    ids = {await write(journal)}
    payload = b'{"v":2,"k":"closed","r":{}}'
    with only(folder).open("ab") as opened:
        opened.write(b"PSJ1" + len(payload).to_bytes(4) + zlib.crc32(payload).to_bytes(4) + payload)
    ids.add(await write(journal))
    assert await ship_all(shipper) == 3
    assert (await rows()).keys() == ids
    assert await as_superuser("SELECT record->>'v', reason FROM private.dead_letters") == [
        ("2", "no record that this version can read")
    ]
    assert shipper.counts.torn_segments == 0


async def test_files_that_cannot_be_read_do_not_stop_the_other_writers(
    open_journal: OpenJournal, shipper: Shipper, write: Write, rows: Rows, folder: Path
) -> None:
    id_ = await write(open_journal())
    (folder / "0.000001.jnl").mkdir()
    assert await shipper.ship_once() == 1
    assert await rows() == {id_: "answered"}
    assert shipper.counts.failures == 1


async def test_a_segment_that_somebody_removed_is_no_reason_to_stop(
    open_journal: OpenJournal, shipper: Shipper, write: Write, rows: Rows, folder: Path
) -> None:
    journal = open_journal(segment_size=1)
    ids = [await write(journal, close=False), await write(journal)]
    await shipper.ship_once()
    for name in files(folder):
        (folder / name).unlink()
    journal.close()
    await ship_all(shipper)
    assert await rows() == {ids[0]: "interrupted", ids[1]: "answered"}
    assert files(folder, "") == []
    assert shipper._writers == {}
