"""Bad days: killed or interrupted between any two steps, and nothing is lost or told twice."""

from __future__ import annotations

import asyncio
import inspect
import os
import secrets
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

import pytest

from storage.decisions import writer as decision_writer
from storage.decisions.writer import PostgresSink
from storage.journal import courier
from storage.journal import reader as journal_reader
from storage.journal import shipper as shipper_room
from storage.journal.journal import Journal
from storage.journal.shipper import Shipper
from storage.postgres import Database, Session
from storage.tenants.tenants import TenantStore
from storage.types import DecisionRecord, Tenant
from tests.storage.conftest import DatabaseUrls, OpenJournal, Rows, Write
from tests.storage.journals import Door, a_record, files, opened_of, ship_all

BATCH: Final = 7


class Diary:
    """A second sink, which outlives its process: a line for each decision."""

    name: Final = "diary"

    def __init__(self, file: Path) -> None:
        self.file = file

    async def write(self, records: Sequence[DecisionRecord]) -> None:
        with self.file.open("a") as opened:
            opened.writelines(f"{record.id}\n" for record in records)

    async def close(self) -> None:
        return

    def ids(self) -> list[str]:
        return self.file.read_text().splitlines()


# Where the shipper is killed: before or after a call of a function, the n-th.
POINTS: Final = {
    "before the insert": (decision_writer, "_linked", 1, False),
    "after the insert, before the commit": (decision_writer, "move_heads", 1, True),
    "after the commit, before the position is kept": (courier, "save_positions", 1, False),
    "in the second batch": (decision_writer, "move_heads", 2, True),
    "after the position is kept": (courier, "save_positions", 2, True),
    "before the open exchanges are carried over": (shipper_room, "carry_over", 1, False),
    "after they are, before any segment goes": (shipper_room, "carry_over", 1, True),
    "after one segment went": (shipper_room, "remove", 1, True),
    "after some segments went": (shipper_room, "remove", 4, True),
    "while a dead writer is buried": (shipper_room, "remove", 7, False),
    "before the lock of a dead writer goes": (shipper_room, "lock_name", 1, False),
    "before a file is replaced": (Path, "replace", 2, False),
}  # fmt: skip


def _die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def die_at(place: object, name: str, calls: int, *, after: bool) -> None:
    """Have this process killed at the `calls`-th call of a function."""
    whole: Callable[..., Any] = getattr(place, name)
    left = iter(range(calls - 1, -1, -1))

    async def dying_async(*args: object, **given: object) -> object:
        last = next(left) == 0
        result = await whole(*args, **given) if after or not last else None
        return _die() if last else result

    def dying(*args: object, **given: object) -> object:
        last = next(left) == 0
        result = whole(*args, **given) if after or not last else None
        return _die() if last else result

    setattr(place, name, dying_async if inspect.iscoroutinefunction(whole) else dying)


def killed_in_a_child(story: Callable[[], None]) -> bool:
    """Run `story` in a fork of this process; return whether it was killed before its end."""
    child = os.fork()
    if child == 0:
        try:
            story()
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
def test_a_shipper_that_is_killed_anywhere_is_followed_by_one_that_loses_and_repeats_nothing(
    migrated: DatabaseUrls, folder: Path, tmp_path: Path, point: str
) -> None:
    tenant = asyncio.run(_new_tenant(migrated))
    diary = Diary(tmp_path / "diary")
    expected, living = asyncio.run(_write_two_journals(folder, tenant))
    place, name, calls, after = POINTS[point]

    def until_killed() -> None:
        die_at(place, name, calls, after=after)
        journal_reader.BATCH = BATCH  # type: ignore[misc]
        asyncio.run(_drain(migrated, folder, diary))

    assert killed_in_a_child(until_killed)
    asyncio.run(_drain(migrated, folder, diary))
    living.close()
    asyncio.run(_drain(migrated, folder, diary))
    assert asyncio.run(_rows(migrated, tenant)) == expected
    told = diary.ids()
    assert set(told) == expected.keys()
    assert len(told) - len(expected) <= BATCH
    assert files(folder, "") == []


async def _new_tenant(urls: DatabaseUrls) -> Tenant:
    database = await Database.connect(urls.url, size=1)
    try:
        return await TenantStore(database).create(f"t-{secrets.token_hex(6)}")
    finally:
        await database.close()


async def _write_two_journals(folder: Path, tenant: Tenant) -> tuple[dict[str, str], Journal]:
    """A dead writer's and a living one's, in several segments; both have left an exchange open."""
    expected: dict[str, str] = {}
    dead, living = Journal(folder, segment_size=1500), Journal(folder, segment_size=1500)
    for journal in (dead, living):
        cut = a_record(tenant.id)
        journal.opened(opened_of(cut))
        for record in [a_record(tenant.id) for _ in range(9)]:
            journal.opened(opened_of(record))
            await journal.closed(record)
            expected[record.id] = "answered"
        expected[cut.id] = "interrupted"
    dead.close()
    return expected, living


async def _drain(urls: DatabaseUrls, folder: Path, diary: Diary) -> None:
    database = await Database.connect(urls.url, size=1)
    try:
        sink = PostgresSink(database)
        shipper = Shipper(folder, [sink, diary], sink)
        while await shipper.ship_once():
            pass
        await shipper.close()
    finally:
        await database.close()


async def _rows(urls: DatabaseUrls, tenant: Tenant) -> dict[str, str]:
    async with Session.open(urls.owner_url) as session, session.transaction() as connection:
        rows = await connection.fetch("SELECT id::text, outcome FROM public.decisions WHERE tenant_id = $1", tenant.id)
    found = {row["id"]: row["outcome"] for row in rows}
    assert len(found) == len(rows)
    return found


def test_a_writer_that_is_killed_anywhere_has_every_decision_that_it_answered_for(
    migrated: DatabaseUrls, folder: Path, tmp_path: Path
) -> None:
    """Before the frame is written, after it, and while the disk takes it."""
    tenant, answered = asyncio.run(_new_tenant(migrated)), Diary(tmp_path / "answered")
    for calls, (name, after) in enumerate([("write", False), ("write", True), ("fdatasync", False)] * 2, 3):

        def until_killed(name: str = name, after: bool = after, calls: int = calls) -> None:
            journal = Journal(folder)
            die_at(os, name, calls if name == "write" else 1, after=after)
            asyncio.run(_answer(journal, tenant, answered))

        assert killed_in_a_child(until_killed)
    asyncio.run(_drain(migrated, folder, Diary(tmp_path / "diary")))
    rows = asyncio.run(_rows(migrated, tenant))
    assert set(answered.ids()) <= {id_ for id_, outcome in rows.items() if outcome == "answered"}
    assert files(folder, "") == []


async def _answer(journal: Journal, tenant: Tenant, answered: Diary) -> None:
    for number in range(8):
        record = a_record(tenant.id)
        journal.opened(opened_of(record))
        await journal.closed(record)
        await answered.write([record])
        if number == 6:
            await journal.flush()


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
