"""The chain as it is written: link by link, once, in one order, also by several writers and over an older schema."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from detectors.errors import DatabaseUnavailableError, StorageError
from storage.chains.canonical import seal
from storage.chains.chain import GENESIS, ChainName, Head, RememberedHeads, link_hash
from storage.decisions.writer import PostgresSink
from storage.postgres import Database
from storage.types import Role, Tenant
from tests.storage.chained import ChainedLog
from tests.storage.conftest import MakeRecord, RunStatement

slow = pytest.mark.slow
NAME = ChainName("i1", 7)
OLD, NEW, OTHER = Head(3, b"3" * 32), Head(4, b"4" * 32), Head(3, b"x" * 32)


@pytest.fixture
async def log(database: Database, tenant: Tenant, make_record: MakeRecord, tmp_path: Path) -> ChainedLog:
    return ChainedLog(database, tmp_path, tenant, make_record)


def test_a_link_covers_what_is_before_it_its_place_and_its_row() -> None:
    link = link_hash(GENESIS, 1, b"row")
    assert len({link, link_hash(b"1" * 32, 1, b"row"), link_hash(GENESIS, 2, b"row"), link_hash(GENESIS, 1, b"w")}) == 4


def test_the_stored_head_is_trusted_until_it_falls_behind_what_was_committed() -> None:
    heads = RememberedHeads()
    assert heads.trusted(NAME, OLD) == OLD
    heads.remember({NAME: NEW})
    assert heads.trusted(NAME, OLD) == NEW
    assert heads.trusted(NAME, Head(4, b"?" * 32)) == NEW
    assert heads.trusted(NAME, Head(5, b"5" * 32)) == Head(5, b"5" * 32)
    assert heads.trusted(ChainName("i1", 8), OLD) == OLD


@slow
async def test_batches_continue_the_chain_in_the_order_of_their_records(
    log: ChainedLog, as_superuser: RunStatement
) -> None:
    records = [*await log.write(2), *await log.write(1)]
    rows = await as_superuser(
        "SELECT id::text, seq, prev, hash FROM public.decisions WHERE instance = $1 ORDER BY seq", log.instance
    )
    prev = GENESIS
    for seq, (record, row) in enumerate(zip(records, rows, strict=True), 1):
        link = link_hash(prev, seq, seal(record).canonical)
        assert row == (record.id, seq, prev, link)
        prev = link
    assert await _head(as_superuser, log) == [(3, prev)]


@slow
async def test_a_refused_batch_leaves_the_chain_where_it_was(log: ChainedLog, as_superuser: RunStatement) -> None:
    await log.write(1)
    with pytest.raises(StorageError):
        await log.sink.write([log.record(), log.record(confidence=2.0)])
    await log.write(1)
    assert [seq for seq, _ in await _head(as_superuser, log)] == [2]
    assert await log.found() == []


@slow
async def test_a_batch_that_came_before_adds_no_link(log: ChainedLog, as_superuser: RunStatement) -> None:
    records = await log.write(3)
    log.start_process()
    await log.sink.write(records)
    assert [seq for seq, _ in await _head(as_superuser, log)] == [3]


@slow
async def test_writers_of_the_same_chains_take_turns(log: ChainedLog, neighbour: Tenant) -> None:
    batches = [
        [log.record(), log.make_record(neighbour.id, log.now, instance=log.instance), log.record()] for _ in range(8)
    ]
    there_and_back = [batch if number % 2 else batch[::-1] for number, batch in enumerate(batches)]
    await asyncio.gather(*(PostgresSink(log.database).write(batch) for batch in there_and_back))
    report = await log.verify()
    assert (report.rows, report.damages) == (16, [])


@slow
async def test_a_head_that_somebody_put_back_is_not_believed(log: ChainedLog, as_superuser: RunStatement) -> None:
    records = await log.write(4)
    await as_superuser("DELETE FROM public.decisions WHERE id = $1", records[3].id)
    await as_superuser(
        "UPDATE private.chain_heads AS h SET seq = 3, hash = d.hash FROM public.decisions AS d"
        " WHERE h.instance = $1 AND d.instance = $1 AND d.seq = 3",
        log.instance,
    )
    await log.write(2)
    assert await log.found() == [("deletion", 4, None)]


@slow
async def test_what_an_attacker_does_before_the_checkpoint_is_found_while_the_writer_lives(
    log: ChainedLog, as_superuser: RunStatement
) -> None:
    (record,) = await log.write(1)
    forged = link_hash(GENESIS, 1, seal(log.make_record(log.tenant_id, id=record.id, instance=log.instance)).canonical)
    await as_superuser("UPDATE public.decisions SET model = 'forged', hash = $2 WHERE id = $1", record.id, forged)
    await as_superuser("UPDATE private.chain_heads SET hash = $2 WHERE instance = $1", log.instance, forged)
    await log.checkpointer.checkpoint()
    assert {kind for kind, _, _ in await log.found()} == {"edit"}


@slow
async def test_the_role_of_the_writer_reads_links_and_nothing_else(database: Database) -> None:
    async with database.transaction(Role.SHIP) as connection:
        await connection.fetch("SELECT tableoid, opened_at, id, instance, tenant_id, seq, prev, hash FROM decisions")
    with pytest.raises(DatabaseUnavailableError, match="permission denied"):
        async with database.transaction(Role.SHIP) as connection:
            await connection.fetch("SELECT model FROM public.decisions")


@slow
@pytest.mark.parametrize("statement", ["UPDATE private.statements SET line = ''", "DELETE FROM private.statements"])
async def test_no_role_of_ours_changes_a_statement(database: Database, statement: str) -> None:
    with pytest.raises(DatabaseUnavailableError, match="permission denied"):
        async with database.transaction(Role.SHIP) as connection:
            await connection.execute(statement)


async def _head(run: RunStatement, log: ChainedLog) -> list[tuple[int, bytes]]:
    rows = await run("SELECT seq, hash FROM private.chain_heads WHERE instance = $1", log.instance)
    return [(row[0], row[1]) for row in rows]
