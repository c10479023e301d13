"""Deliberate removal: exactly what was signed beforehand may be missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.postgres import Database
from storage.types import Tenant
from tests.storage.chained import ChainedLog
from tests.storage.conftest import MakeRecord, RunStatement

pytestmark = pytest.mark.slow


@pytest.fixture
async def log(database: Database, tenant: Tenant, make_record: MakeRecord, tmp_path: Path) -> ChainedLog:
    return ChainedLog(database, tmp_path / "checkpoints", tenant, make_record)


@pytest.mark.parametrize(("first", "count"), [(0, 3), (2, 4), (5, 5), (0, 10)], ids=["start", "middle", "end", "all"])
async def test_retired_rows_leave_no_damage(
    log: ChainedLog, as_superuser: RunStatement, first: int, count: int
) -> None:
    records = await log.write(10)
    await log.checkpointer.checkpoint()
    await log.retire(records[first], count)
    ids = [record.id for record in records[first : first + count]]
    await as_superuser("DELETE FROM public.decisions WHERE id = ANY ($1::uuid[])", ids)
    await log.write(2)
    report = await log.verify()
    assert (report.damages, report.retired, report.rows) == ([], count, 12 - count)


async def test_rows_that_are_retired_and_all_there_are_clean_and_some_of_them_are_not(
    log: ChainedLog, as_superuser: RunStatement
) -> None:
    """All: the database was put back. Some: anybody who knows the gap's ends may have made them."""
    records = await log.write(6)
    await log.retire(records[0], 4)
    assert await log.found() == []
    await as_superuser("DELETE FROM public.decisions WHERE id = $1", records[1].id)
    assert await log.found() == [("insertion", 1, records[0].id)]


async def test_a_row_beyond_what_was_retired_is_missed(log: ChainedLog, as_superuser: RunStatement) -> None:
    records = await log.write(6)
    await log.retire(records[0], 3)
    await as_superuser("DELETE FROM public.decisions WHERE id = ANY ($1::uuid[])", [r.id for r in records[:4]])
    assert await log.found() == [("deletion", 4, None)]


async def test_a_purged_chain_whose_every_link_was_retired_is_clean(
    log: ChainedLog, as_superuser: RunStatement
) -> None:
    records = await log.write(4)
    await log.checkpointer.checkpoint()
    await log.retire(records[0], 4)
    await as_superuser("DELETE FROM public.decisions WHERE instance = $1", log.instance)
    await as_superuser("DELETE FROM private.chain_heads WHERE instance = $1", log.instance)
    assert await log.found() == []
