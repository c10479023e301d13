"""Retention removes what has expired and nothing else, leaves the chain explained, and cannot be hurried."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from detectors.errors import DatabaseUnavailableError, StorageError
from storage.decisions.retention import Retention
from storage.postgres import Database
from storage.types import Role, Tenant
from tests.storage.chained import ChainedLog
from tests.storage.conftest import MakeRecord, RunStatement

pytestmark = pytest.mark.slow

TODAY = datetime.now(UTC).date()
LONG = 3650


def ago(days: int) -> datetime:
    day = TODAY - timedelta(days)
    return datetime(day.year, day.month, day.day, 6, tzinfo=UTC)


@pytest.fixture
async def log(database: Database, tenant: Tenant, make_record: MakeRecord, tmp_path: Path) -> ChainedLog:
    return ChainedLog(database, tmp_path / "checkpoints", tenant, make_record)


@pytest.fixture
def retention(database: Database, log: ChainedLog) -> Retention:
    return Retention(database, log.retirement)


@pytest.fixture(autouse=True)
async def alone(as_superuser: RunStatement, migrated: object) -> None:
    """Rows and wishes of other tests are out of the way."""
    await as_superuser("DELETE FROM public.decisions")
    await as_superuser("DELETE FROM private.retention")


async def keep(as_superuser: RunStatement, tenant_id: int, days: int) -> None:
    """As if the tenant had wanted it for long."""
    await as_superuser(
        "INSERT INTO private.retention VALUES ($1, $2) ON CONFLICT (tenant_id) DO UPDATE SET days = $2", tenant_id, days
    )


async def write_on(log: ChainedLog, back: int, count: int = 3) -> None:
    log.now = ago(back)
    await log.write(count)


async def make_day(as_superuser: RunStatement, back: int) -> str:
    day: date = TODAY - timedelta(back)
    await as_superuser("SELECT private.create_partition($1)", day)
    return f"private.decisions_{day:%Y%m%d}"


async def count(as_superuser: RunStatement, tenant_id: int) -> int:
    ((rows,),) = await as_superuser("SELECT count(*) FROM public.decisions WHERE tenant_id = $1", tenant_id)
    return int(rows)


async def test_a_day_that_everybody_has_outlived_is_dropped(
    retention: Retention, log: ChainedLog, as_superuser: RunStatement
) -> None:
    names = [await make_day(as_superuser, back) for back in (91, 90)]
    await write_on(log, 91)
    await write_on(log, 90)
    expiry = await retention.run_once(datetime.now(UTC), {}, 90)
    assert (expiry.dropped_days, expiry.deleted_rows, await count(as_superuser, log.tenant_id)) == (1, 0, 3)
    assert await as_superuser("SELECT to_regclass($1)::text, to_regclass($2)::text", *names) == [(None, names[1])]


async def test_a_day_that_one_tenant_keeps_longer_loses_only_the_others_rows(
    retention: Retention, log: ChainedLog, as_superuser: RunStatement, neighbour: Tenant, make_record: MakeRecord
) -> None:
    await make_day(as_superuser, 120)
    await write_on(log, 120)
    await log.sink.write([make_record(neighbour.id, ago(120), instance=log.instance)])
    expiry = await retention.run_once(datetime.now(UTC), {neighbour.id: 365}, 90)
    assert (expiry.dropped_days, expiry.deleted_rows) == (0, 3)
    assert await count(as_superuser, neighbour.id) == 1


async def test_rows_of_the_default_partition_expire_too(
    retention: Retention, log: ChainedLog, as_superuser: RunStatement
) -> None:
    await write_on(log, 400)
    await write_on(log, 401)
    await write_on(log, 50)
    expiry = await retention.run_once(datetime.now(UTC), {}, 90)
    assert (expiry.deleted_rows, await count(as_superuser, log.tenant_id)) == (6, 3)


@pytest.mark.parametrize("with_partition", [True, False])
async def test_what_retention_took_out_of_the_chain_is_signed(
    retention: Retention, log: ChainedLog, as_superuser: RunStatement, with_partition: bool
) -> None:
    if with_partition:
        await make_day(as_superuser, 95)
    await write_on(log, 95)
    await write_on(log, 5)
    await retention.run_once(datetime.now(UTC), {}, 90)
    report = await log.verify()
    assert (report.damages, report.retired, report.rows) == ([], 3, 3)


async def test_more_than_a_batch_goes_in_batches(
    retention: Retention, log: ChainedLog, as_superuser: RunStatement, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.decisions.retention.BATCH", 4)
    await write_on(log, 97, count=10)
    expiry = await retention.run_once(datetime.now(UTC), {}, 90)
    assert (expiry.deleted_rows, (await log.verify()).damages) == (10, [])


async def test_a_shorter_retention_waits_for_three_days_and_is_told_to_auditors(
    retention: Retention, log: ChainedLog, as_superuser: RunStatement
) -> None:
    await write_on(log, 40)
    for _ in range(2):
        await retention.run_once(datetime.now(UTC), {log.tenant_id: 30}, LONG)
    assert await count(as_superuser, log.tenant_id) == 3
    notes = await as_superuser(
        "SELECT details ->> 'from', details ->> 'to' FROM private.admin_audit WHERE tenant_id = $1", log.tenant_id
    )
    assert notes == [("90", "30")]
    await as_superuser("UPDATE private.retention SET next_from = now() WHERE tenant_id = $1", log.tenant_id)
    await retention.run_once(datetime.now(UTC), {log.tenant_id: 30}, LONG)
    assert await count(as_superuser, log.tenant_id) == 0


async def test_a_longer_retention_counts_at_once_and_calls_a_shorter_one_back(
    retention: Retention, log: ChainedLog, as_superuser: RunStatement
) -> None:
    await write_on(log, 100)
    await retention.run_once(ago(90), {log.tenant_id: 30}, LONG)
    await retention.run_once(datetime.now(UTC), {log.tenant_id: 365}, LONG)
    assert await count(as_superuser, log.tenant_id) == 3
    row = await as_superuser(
        "SELECT days, next_days, next_from FROM private.retention WHERE tenant_id = $1", log.tenant_id
    )
    assert row == [(365, None, None)]


async def test_a_clock_ahead_of_the_databases_hurries_nothing(
    retention: Retention, log: ChainedLog, as_superuser: RunStatement
) -> None:
    await write_on(log, 30)
    await retention.run_once(datetime.now(UTC) + timedelta(days=500), {}, 90)
    assert await count(as_superuser, log.tenant_id) == 3


async def test_a_clock_behind_puts_it_off(retention: Retention, log: ChainedLog, as_superuser: RunStatement) -> None:
    await write_on(log, 95)
    await retention.run_once(ago(10), {}, 90)
    assert await count(as_superuser, log.tenant_id) == 3


async def test_today_and_yesterday_never_go(retention: Retention, log: ChainedLog, as_superuser: RunStatement) -> None:
    await keep(as_superuser, log.tenant_id, 1)
    for back in (0, 1, 2):
        await write_on(log, back)
    await retention.run_once(datetime.now(UTC), {log.tenant_id: 1}, LONG)
    assert await count(as_superuser, log.tenant_id) == 6


async def test_a_day_in_use_is_left_for_later_with_nothing_signed(
    retention: Retention, log: ChainedLog, database: Database, as_superuser: RunStatement
) -> None:
    await make_day(as_superuser, 93)
    await write_on(log, 93)
    async with database.transaction(Role.READER) as connection:
        await connection.fetchval("SELECT count(*) FROM public.decisions")
        expiry = await retention.run_once(datetime.now(UTC), {}, 90)
    assert (expiry.postponed_days, expiry.dropped_days, (await log.verify()).retired) == (1, 0, 0)
    assert (await retention.run_once(datetime.now(UTC), {}, 90)).dropped_days == 1


async def test_two_instances_at_once_remove_each_day_once(
    retention: Retention, log: ChainedLog, as_superuser: RunStatement
) -> None:
    await make_day(as_superuser, 94)
    await write_on(log, 94)
    async with asyncio.TaskGroup() as group:
        looks = [group.create_task(retention.run_once(datetime.now(UTC), {}, 90)) for _ in range(2)]
    assert sum(look.result().dropped_days for look in looks) == 1
    assert (await log.verify()).damages == []


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT private.drop_day(current_date, now() + interval '9 years')",
        "SELECT private.drop_day(current_date - 5, now() + interval '9 years')",
        "SELECT private.drop_day('1999-01-01', now())",  # the default partition
        "SELECT private.delete_day($1, current_date - 5, 'infinity', 'infinity')",
        "SELECT private.delete_day($1, current_date, 'infinity', 'infinity')",
        "SELECT private.delete_day(NULL, NULL, NULL, NULL)",
        "SELECT private.drop_day(NULL, NULL)",
    ],
)
async def test_a_stolen_credential_removes_nothing_that_has_not_expired(
    log: ChainedLog, database: Database, as_superuser: RunStatement, statement: str
) -> None:
    await write_on(log, 5)
    await write_on(log, 0)
    async with database.transaction(Role.SHIP) as connection:
        await connection.execute("SELECT private.announce_retention('{}', '{}', 1)")
        done = await connection.fetchval(statement, *([log.tenant_id] if "$1" in statement else []))
    assert (not done, await count(as_superuser, log.tenant_id)) == (True, 6)


@pytest.mark.parametrize("days", [0, -1, 5000])
async def test_a_wish_out_of_all_bounds_is_refused(retention: Retention, log: ChainedLog, days: int) -> None:
    with pytest.raises(StorageError, match="retention"):
        await retention.run_once(datetime.now(UTC), {log.tenant_id: days}, 90)


@pytest.mark.parametrize("role", [Role.APP, Role.READER])
async def test_no_other_role_may_remove_anything(database: Database, role: Role) -> None:
    with pytest.raises(DatabaseUnavailableError, match="permission denied"):
        async with database.transaction(role) as connection:
            await connection.execute("SELECT private.drop_day(current_date - 100, now())")


async def test_old_rollups_go_by_grain(retention: Retention, log: ChainedLog, as_superuser: RunStatement) -> None:
    for back in (500, 100, 10):
        await write_on(log, back, count=1)
    await retention.run_once(datetime.now(UTC), {}, LONG)
    left = await as_superuser(
        "SELECT grain, count(DISTINCT at) FROM public.rollups WHERE tenant_id = $1 GROUP BY grain ORDER BY grain",
        log.tenant_id,
    )
    assert left == [("day", 2), ("hour", 2), ("minute", 1)]
