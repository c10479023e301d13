"""Days get their partitions ahead of time, and rows that had to wait elsewhere move in."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from storage.decisions.partitions import Partitions
from storage.decisions.writer import PostgresSink
from storage.postgres import Database, Session
from storage.types import Role, Tenant
from tests.storage.conftest import DatabaseUrls, MakeRecord, RunStatement

pytestmark = pytest.mark.slow

TODAY = datetime.now(UTC).date()

WAITS_AT_DEFAULT = "SELECT FROM pg_locks WHERE relation = 'private.decisions_default'::regclass AND NOT granted"


def noon(back: int) -> datetime:
    day = TODAY - timedelta(back)
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


async def exists(as_superuser: RunStatement, day: date) -> bool:
    ((name,),) = await as_superuser("SELECT to_regclass($1)::text", f"private.decisions_{day:%Y%m%d}")
    return name is not None


async def store_in_default(
    sink: PostgresSink, as_superuser: RunStatement, tenant: Tenant, make_record: MakeRecord, back: int, count: int
) -> None:
    """Rows of a day that has no partition although it may have one."""
    await sink.write([make_record(tenant.id, noon(back)) for _ in range(count)])
    day = TODAY - timedelta(back)
    name = f"private.decisions_{day:%Y%m%d}"
    await as_superuser(f"ALTER TABLE public.decisions DETACH PARTITION {name}")
    await as_superuser(f"INSERT INTO public.decisions SELECT * FROM {name}")  # noqa: S608 - a name of ours
    await as_superuser(f"DROP TABLE {name}")


async def where(as_superuser: RunStatement, tenant: Tenant) -> dict[Any, Any]:
    rows = await as_superuser(
        "SELECT tableoid::regclass::text, count(*) FROM public.decisions WHERE tenant_id = $1 GROUP BY 1", tenant.id
    )
    return dict(rows)


async def test_the_next_days_are_made_without_any_traffic(database: Database, as_superuser: RunStatement) -> None:
    await Partitions(database).ensure((), TODAY)
    assert [await exists(as_superuser, TODAY + timedelta(ahead)) for ahead in range(4)] == [True, True, True, False]


async def test_what_is_settled_is_not_asked_for_again(database: Database) -> None:
    partitions = Partitions(database)
    await partitions.ensure((), TODAY)
    await database.close()
    await partitions.ensure([TODAY], TODAY)  # would raise


async def test_a_day_that_a_reader_holds_up_waits_half_a_minute(database: Database, as_superuser: RunStatement) -> None:
    now, day = 0.0, TODAY - timedelta(25)
    partitions = Partitions(database, clock=lambda: now)
    async with database.transaction(Role.READER) as connection:
        await connection.fetchval("SELECT count(*) FROM public.decisions")
        await partitions.ensure([day], TODAY)
    await partitions.ensure([day], TODAY)
    assert not await exists(as_superuser, day)
    now = 31.0
    await partitions.ensure([day], TODAY)
    assert await exists(as_superuser, day)


async def test_rows_of_a_new_partitions_day_move_in_and_no_others(
    database: Database, tenant: Tenant, make_record: MakeRecord, as_superuser: RunStatement
) -> None:
    sink = PostgresSink(database)
    for back in (20, 21):
        await store_in_default(sink, as_superuser, tenant, make_record, back, 3)
    await Partitions(database).ensure([TODAY - timedelta(20)], TODAY)
    name = f"private.decisions_{TODAY - timedelta(20):%Y%m%d}"
    assert await where(as_superuser, tenant) == {name: 3, "private.decisions_default": 3}


async def test_a_moved_row_is_the_same_row(
    database: Database, tenant: Tenant, make_record: MakeRecord, as_superuser: RunStatement
) -> None:
    await store_in_default(PostgresSink(database), as_superuser, tenant, make_record, 22, 1)
    look = "SELECT d::text FROM public.decisions AS d WHERE tenant_id = $1"
    before = await as_superuser(look, tenant.id)
    await Partitions(database).ensure([TODAY - timedelta(22)], TODAY)
    assert await as_superuser(look, tenant.id) == before


async def test_a_day_too_full_to_move_stays_where_it_is(
    database: Database, tenant: Tenant, make_record: MakeRecord, as_superuser: RunStatement
) -> None:
    await store_in_default(PostgresSink(database), as_superuser, tenant, make_record, 23, 3)
    assert await as_superuser("SELECT private.create_partition($1, 2)", TODAY - timedelta(23)) == [(True,)]
    assert await where(as_superuser, tenant) == {"private.decisions_default": 3}


async def test_rows_that_arrive_while_their_day_moves_are_neither_lost_nor_left_behind(
    database: Database, tenant: Tenant, make_record: MakeRecord, as_superuser: RunStatement
) -> None:
    sink = PostgresSink(database)
    await store_in_default(sink, as_superuser, tenant, make_record, 24, 200)
    records = [make_record(tenant.id, noon(24)) for _ in range(20)]
    async with asyncio.TaskGroup() as group:
        group.create_task(Partitions(database).ensure([TODAY - timedelta(24)], TODAY))
        group.create_task(sink.write(records))
    assert await where(as_superuser, tenant) == {f"private.decisions_{TODAY - timedelta(24):%Y%m%d}": 220}


async def test_a_row_that_waited_at_the_default_partition_goes_into_the_one_made_meanwhile(
    database: Database,
    migrated: DatabaseUrls,
    tenant: Tenant,
    make_record: MakeRecord,
    as_superuser: RunStatement,
) -> None:
    sink = PostgresSink(database)
    await sink.write([make_record(tenant.id, noon(28))])  # settles its day, so that the next row goes there unasked
    name = f"private.decisions_{TODAY - timedelta(28):%Y%m%d}"
    await as_superuser(f"ALTER TABLE public.decisions DETACH PARTITION {name}")
    # The maker commits before the group waits for the writer.
    async with asyncio.TaskGroup() as group, Session.open(migrated.owner_url) as maker, maker.transaction() as held:
        await held.execute("LOCK TABLE private.decisions_default IN ACCESS EXCLUSIVE MODE")
        group.create_task(sink.write([make_record(tenant.id, noon(28))]))
        while not await as_superuser(WAITS_AT_DEFAULT):  # noqa: ASYNC110 - only Postgres knows
            await asyncio.sleep(0.01)
        await held.execute(f"DROP TABLE {name}")
        await held.fetchval("SELECT private.create_partition($1)", TODAY - timedelta(28))
    assert await where(as_superuser, tenant) == {name: 1}


async def test_two_makers_at_once_make_a_day_once(database: Database, as_superuser: RunStatement) -> None:
    day = TODAY - timedelta(26)
    async with asyncio.TaskGroup() as group:
        for _ in range(2):
            group.create_task(Partitions(database).ensure([day], TODAY))
    assert await exists(as_superuser, day)


async def test_the_hourly_look_outlives_a_database_that_is_away(database: Database) -> None:
    await database.close()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await Partitions(database).run_forever()
