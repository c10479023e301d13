"""From the journal to Postgres: every exchange arrives once, whatever tears or goes away in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from storage.decisions.writer import PostgresSink
from storage.journal.frames import encode_closed, encode_opened
from storage.journal.journal import Journal
from storage.journal.shipper import Shipper
from storage.postgres import Database
from storage.types import DecisionRecord, Tenant
from tests.storage.conftest import DatabaseUrls, MakeRecord, OpenJournal, Rows, RunStatement, Write
from tests.storage.journals import Door, files, framed, numbers, opened_of, ship_all

NOBODY: Final = 987_654_321  # no tenant has this id


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


async def test_segments_go_in_order_though_an_exchange_in_them_is_still_open(
    open_journal: OpenJournal, shipper: Shipper, write: Write, rows: Rows, folder: Path, make_record: MakeRecord,
    tenant: Tenant,
) -> None:  # fmt: skip
    journal, slow = open_journal(segment_size=1), make_record(tenant.id)
    journal.opened(opened_of(slow))
    ids = [await write(journal) for _ in range(2)]
    await shipper.drain()
    assert numbers(folder) == [0, 5]
    await journal.closed(slow)
    await shipper.drain()
    assert numbers(folder) == [0, 6]
    assert (folder / files(folder)[0]).stat().st_size == 0
    assert await rows() == dict.fromkeys([*ids, slow.id], "answered")


async def test_what_was_carried_over_is_known_after_a_restart(
    open_journal: OpenJournal, folder: Path, door: Door, write: Write, rows: Rows
) -> None:
    journal = open_journal(segment_size=1)
    cut = await write(journal, close=False)
    ids = dict.fromkeys([await write(journal), await write(journal)], "answered")
    for _ in range(3):
        await Shipper(folder, [door], door).drain()
    assert numbers(folder) == [0, 5]
    journal.close()
    await Shipper(folder, [door], door).drain()
    assert await rows() == ids | {cut: "interrupted"}
    assert files(folder, "") == []


async def test_locks_of_the_dead_do_not_pile_up(folder: Path, shipper: Shipper) -> None:
    for _ in range(20):
        Journal(folder).close()
    (folder / "crashed-before-its-first-segment.lock").touch()
    await shipper.drain()
    assert files(folder, "") == []


async def test_segments_whose_lock_file_was_lost_are_shipped_too(
    open_journal: OpenJournal, shipper: Shipper, write: Write, rows: Rows, folder: Path
) -> None:
    journal = open_journal()
    ids = {await write(journal) for _ in range(3)}
    journal.close()
    (folder / f"{journal.writer}.lock").unlink()
    await shipper.drain()
    assert (await rows()).keys() == ids
    assert files(folder, "") == []


async def test_a_folder_that_is_not_there_has_nothing_to_ship(shipper: Shipper) -> None:
    assert await shipper.ship_once() == 0


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
    counts = shipper.counts.sinks["postgres"]
    assert (counts.lag, counts.failures) == (20, 3)
    door.opens = None
    assert await ship_all(shipper) == 20
    assert await rows() == dict.fromkeys(ids, "answered")
    assert (counts.lag, counts.shipped) == (0, 20)


async def test_a_real_database_that_is_gone_counts_as_away(
    open_journal: OpenJournal, folder: Path, migrated: DatabaseUrls, write: Write, shipper: Shipper, rows: Rows
) -> None:
    gone = await Database.connect(migrated.url, size=1)
    await gone.close()
    id_ = await write(open_journal())
    assert await Shipper(folder, [PostgresSink(gone)], PostgresSink(gone)).ship_once() == 0
    await ship_all(shipper)
    assert await rows() == {id_: "answered"}


async def test_decisions_of_a_tenant_that_is_gone_become_dead_letters_and_the_rest_arrives(
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
    letters = await as_superuser("SELECT tenant_id, record->>'id' FROM private.dead_letters ORDER BY id")
    assert letters == [(NOBODY, id_) for id_ in poison]
    assert (shipper.counts.sinks["postgres"].shipped, shipper.counts.dead_letters) == (20, 3)
    assert files(folder, "") == []


POISON: Final[dict[str, Callable[[DecisionRecord], bytes]]] = {
    "a tenant that is no number": lambda one: encode_closed(replace(one, tenant_id="acme"), 1),  # type: ignore[arg-type]
    "no instance": lambda one: encode_closed(replace(one, instance=None), 1),  # type: ignore[arg-type]
    "opened by no tenant": lambda one: encode_opened(replace(opened_of(one), tenant_id=None), 0),  # type: ignore[arg-type]
    "NUL": lambda one: encode_closed(replace(one, model="a\0b"), 1),
    "documents that are none": lambda one: encode_closed(replace(one, facts="{", canonical=1), 1),
    "documents that are more": lambda one: encode_closed(replace(one, scores="[],{}", canonical=1), 1),
    "no lines": lambda one: framed(encode_closed(one, 1)[12:].replace(b"\n", b" ")),
    "no text": lambda one: framed(
        encode_closed(replace(one, model="here"), 1)[12:].replace(b"here", b"\xff\xff\xff\xff")
    ),
    "no JSON": lambda one: framed(encode_closed(replace(one, model="here"), 1)[12:].replace(b'"here"', b"[here]")),
}


@pytest.mark.parametrize("poison", POISON.values(), ids=POISON.keys())
async def test_whatever_lies_in_the_journal_nothing_stops_and_the_rest_arrives(
    open_journal: OpenJournal, shipper: Shipper, write: Write, rows: Rows, make_record: MakeRecord, tenant: Tenant,
    poison: Callable[[DecisionRecord], bytes],
) -> None:  # fmt: skip
    journal = open_journal()
    journal._append(poison(make_record(tenant.id)))
    ids = [await write(journal) for _ in range(3)]
    journal.close()
    await ship_all(shipper)
    assert await rows() == dict.fromkeys(ids, "answered")
    assert (shipper.counts.sinks["postgres"].shipped, shipper.counts.dead_letters) == (3, 1)


@pytest.mark.parametrize("opens", range(1, 6))
async def test_every_record_is_counted_once_though_the_database_goes_away_midway(
    open_journal: OpenJournal, folder: Path, door: Door, write: Write, rows: Rows, opens: int
) -> None:
    shipper, journal = Shipper(folder, [door], door), open_journal()
    ids = [await write(journal) for _ in range(5)]
    await write(journal, tenant_id=NOBODY)
    ids += [await write(journal) for _ in range(5)]
    door.opens = opens
    await ship_all(shipper)
    door.opens = None
    await ship_all(shipper)
    assert (await rows()).keys() == set(ids)
    assert (shipper.counts.sinks["postgres"].shipped, shipper.counts.dead_letters) == (10, 1)
