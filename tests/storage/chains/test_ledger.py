"""The ledger: numbered without a gap and published in full, whatever happens to the database or the file."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from detectors.errors import StorageError, UnavailableError
from storage.chains.statement_file import read_statements
from storage.chains.statements import Statement
from storage.postgres import Database
from storage.types import Tenant
from tests.storage.chained import ChainedLog
from tests.storage.conftest import MakeRecord, RunStatement

pytestmark = pytest.mark.slow


@pytest.fixture
async def log(database: Database, tenant: Tenant, make_record: MakeRecord, tmp_path: Path) -> ChainedLog:
    return ChainedLog(database, tmp_path / "checkpoints", tenant, make_record)


class Collector:
    """A sink that can be away."""

    def __init__(self) -> None:
        self.away = False
        self.taken: list[Statement] = []

    async def publish(self, checkpoint: bytes) -> None:
        if self.away:
            raise UnavailableError("away")
        self.taken.append(Statement.from_line(checkpoint))


def published(log: ChainedLog) -> tuple[Statement, ...]:
    return read_statements(log.folder).get(log.instance, ())


async def test_what_could_not_be_published_is_published_later(log: ChainedLog) -> None:
    log.folder.write_text("a file where the folder should be")
    with pytest.raises(UnavailableError):
        await log.checkpointer.checkpoint()
    log.folder.unlink()
    await log.write(1)
    await log.checkpointer.checkpoint()
    assert [statement.number for statement in published(log)] == [1]


async def test_a_statement_that_was_committed_before_a_crash_is_published_after_it(log: ChainedLog) -> None:
    await log.checkpointer.checkpoint()
    file = log.folder / f"{log.instance}.jsonl"
    whole = file.read_bytes()
    await log.write(1)
    await log.checkpointer.checkpoint()
    file.write_bytes(whole + file.read_bytes()[len(whole) :][:40])  # killed while it was being written
    log.start_process()
    await log.checkpointer.checkpoint()
    assert [statement.number for statement in published(log)] == [1, 2, 3]
    assert await log.found() == []


async def test_a_database_that_forgot_its_statements_does_not_repeat_their_numbers(
    log: ChainedLog, as_superuser: RunStatement
) -> None:
    await log.write(1)
    await log.checkpointer.checkpoint()
    await as_superuser("DELETE FROM private.statements WHERE instance = $1", log.instance)
    log.start_process()
    await log.checkpointer.checkpoint()
    assert [statement.number for statement in published(log)] == [1, 2]
    assert await log.found() == [("statement", 1, None)]


async def test_a_forged_statement_in_the_database_is_neither_continued_nor_published(
    log: ChainedLog, as_superuser: RunStatement
) -> None:
    await log.checkpointer.checkpoint()
    await as_superuser(
        "INSERT INTO private.statements SELECT instance, 2, hash, replace(line, '\"number\":1', '\"number\":2')"
        " FROM private.statements WHERE instance = $1",
        log.instance,
    )
    await log.write(1)
    with pytest.raises(StorageError, match="audit verify"):
        await log.checkpointer.checkpoint()
    assert [statement.number for statement in published(log)] == [1]
    assert await log.found() == [("statement", 2, None)]


async def test_two_who_append_at_once_get_numbers_one_after_the_other(log: ChainedLog) -> None:
    await log.write(1)
    first = log.checkpointer
    log.start_process()
    await asyncio.gather(first.checkpoint(), log.checkpointer.checkpoint())
    assert [statement.number for statement in published(log)] == [1, 2]
    assert await log.found() == []


async def test_a_sink_that_was_away_gets_every_statement_in_order(log: ChainedLog) -> None:
    sink = Collector()
    log.start_process(sinks=[sink])
    for away in (False, True, True, False):
        sink.away = away
        await log.write(1)
        log.now += timedelta(hours=1)
        await log.checkpointer.checkpoint()
    assert sink.taken == list(published(log))
    assert [statement.number for statement in sink.taken] == [1, 2, 3, 4]
