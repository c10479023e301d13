"""Retention signs for what it removes, so whoever controls the database must not make it sign for more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from storage.chains.retired import UnsoundError
from storage.decisions.retention import Retention
from storage.postgres import Database
from storage.types import Tenant
from tests.storage.chained import ChainedLog
from tests.storage.conftest import MakeRecord, RunStatement

pytestmark = pytest.mark.slow

_EXPIRED = """
CREATE OR REPLACE FUNCTION private.expired_days(at timestamptz)
RETURNS TABLE (day date, tenant_ids bigint[], whole boolean) LANGUAGE sql SECURITY DEFINER AS
$$ SELECT (now() AT TIME ZONE 'UTC')::date - 5, (SELECT array_agg(id) FROM public.tenants), false $$"""


def ago(days: int) -> datetime:
    return datetime.now(UTC).replace(hour=6, minute=0, second=0, microsecond=0) - timedelta(days)


@pytest.fixture
async def log(
    database: Database, tenant: Tenant, make_record: MakeRecord, tmp_path: Path, as_superuser: RunStatement
) -> ChainedLog:
    await as_superuser("DELETE FROM public.decisions")
    await as_superuser("DELETE FROM private.retention")
    return ChainedLog(database, tmp_path / "checkpoints", tenant, make_record)


async def written(log: ChainedLog) -> list[str]:
    """Three rows that go today, then three of five days ago; returns the ids of the young ones."""
    log.now = ago(91)
    await log.write(3)
    log.now = ago(5)
    young = await log.write(3)
    await log.checkpointer.checkpoint()
    return [record.id for record in young]


@pytest.mark.parametrize("with_id", [False, True])
async def test_a_young_row_that_was_moved_into_a_day_that_goes_is_not_signed_away(
    log: ChainedLog, as_superuser: RunStatement, with_id: bool
) -> None:
    _, victim, _ = await written(log)
    moment = ago(91)
    forged = f"{int(moment.timestamp() * 1000):012x}"
    new_id = f"{forged[:8]}-{forged[8:]}{victim[13:]}" if with_id else victim
    await as_superuser("UPDATE public.decisions SET opened_at = $1, id = $2 WHERE id = $3", moment, new_id, victim)
    with pytest.raises(UnsoundError):
        await Retention(log.database, log.retirement).run_once(datetime.now(UTC), {}, 90)
    assert [seq for _, seq, _ in await log.found()] == [5]


async def test_a_day_that_a_policy_still_wants_is_not_signed_away_whatever_the_database_says(
    log: ChainedLog, as_superuser: RunStatement
) -> None:
    await written(log)
    (original,) = await as_superuser("SELECT pg_get_functiondef('private.expired_days(timestamptz)'::regprocedure)")
    await as_superuser(_EXPIRED)
    try:
        with pytest.raises(UnsoundError):
            await Retention(log.database, log.retirement).run_once(datetime.now(UTC), {}, 90)
    finally:
        await as_superuser(original[0])
    assert (await log.verify()).retired == 0
