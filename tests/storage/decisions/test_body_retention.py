"""Bodies and subjects go when their time has come, and never before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from storage.decisions.body_retention import BodyRetention, BodyRetentionCounts
from storage.keys.data_keys import DataKeys
from storage.keys.encryption import SuppliedKeys
from storage.postgres import Database
from storage.types import Role, Tenant
from tests.storage.conftest import MakeRecord, RunStatement
from tests.storage.stored import STRONG, about, ship, tomorrow, with_body

pytestmark = pytest.mark.slow
NOW = datetime.now(UTC)


@pytest.fixture
def keys(database: Database) -> DataKeys:
    return DataKeys(database, SuppliedKeys(STRONG))


@pytest.fixture
def retention(database: Database) -> BodyRetention:
    return BodyRetention(database)


async def places(as_superuser: RunStatement, table: str, tenant: Tenant) -> list[str]:
    rows = await as_superuser(
        f"SELECT tableoid::regclass::text FROM public.{table} WHERE tenant_id = $1 ORDER BY opened_at",  # noqa: S608
        tenant.id,
    )
    return [row[0] for row in rows]


async def test_partitions_are_made_ahead_for_every_policys_last_day(
    retention: BodyRetention, database: Database, keys: DataKeys, tenant: Tenant, make_record: MakeRecord,
    as_superuser: RunStatement,
) -> None:  # fmt: skip
    await retention.run_once(NOW, {tenant.id: 400}, 30)
    record = with_body(make_record(tenant.id), await keys.live(tenant.id), "x", until=tomorrow(400))
    await ship(database, about(record, "anna@example.org"))
    assert await places(as_superuser, "bodies", tenant) == [f"private.bodies_{tomorrow(400):%Y%m%d}"]
    assert await places(as_superuser, "decision_subjects", tenant) == [f"private.decision_subjects_{NOW:%Y%m%d}"]


async def test_a_day_that_is_over_goes_as_a_whole(
    retention: BodyRetention, database: Database, keys: DataKeys, tenant: Tenant, make_record: MakeRecord,
    as_superuser: RunStatement,
) -> None:  # fmt: skip
    over, last = tomorrow(-1), tomorrow(0)
    await as_superuser(
        "SELECT private.create_day_partition('bodies', day) FROM unnest($1::date[]) AS day", [over, last]
    )
    key = await keys.live(tenant.id)
    await ship(database, *(with_body(make_record(tenant.id), key, "x", until=day) for day in (over, last)))
    assert (await retention.run_once(NOW, {}, 30)).partitions == 1
    assert await places(as_superuser, "bodies", tenant) == [f"private.bodies_{last:%Y%m%d}"]


async def test_what_expired_in_the_default_partition_is_deleted(
    retention: BodyRetention, database: Database, keys: DataKeys, tenant: Tenant, make_record: MakeRecord,
    as_superuser: RunStatement,
) -> None:  # fmt: skip
    key = await keys.live(tenant.id)
    await ship(database, *(with_body(make_record(tenant.id), key, "x", until=tomorrow(n)) for n in (-9, 999)))
    assert await retention.run_once(NOW, {}, 30) == BodyRetentionCounts(0, 1)
    assert len(await places(as_superuser, "bodies", tenant)) == 1


async def test_whoever_has_bodies_go_before_their_day_leaves_a_note(
    database: Database, keys: DataKeys, tenant: Tenant, make_record: MakeRecord, as_superuser: RunStatement
) -> None:
    record = make_record(tenant.id, NOW - timedelta(2))
    await ship(database, with_body(record, await keys.live(tenant.id), "x", until=tomorrow(30)))
    async with database.transaction(Role.SHIP) as connection:
        assert await connection.fetchval("SELECT private.shorten_bodies($1, 1, 10)", tenant.id) == 1
    noted = await as_superuser("SELECT action FROM private.admin_audit WHERE tenant_id = $1", tenant.id)
    assert noted == [("bodies.shorten",)]


async def test_a_stricter_policy_reaches_bodies_that_are_there_already(
    retention: BodyRetention, database: Database, keys: DataKeys, tenant: Tenant, make_record: MakeRecord,
    as_superuser: RunStatement,
) -> None:  # fmt: skip
    key = await keys.live(tenant.id)
    ages = [timedelta(days=9), timedelta(days=6)]
    await ship(database, *(with_body(make_record(tenant.id, NOW - age), key, "x") for age in ages))
    assert (await retention.run_once(NOW, {tenant.id: 7}, 30)).rows == 1
    assert len(await places(as_superuser, "bodies", tenant)) == 1


async def test_nothing_younger_than_a_day_goes_whatever_is_asked(
    retention: BodyRetention, database: Database, keys: DataKeys, tenant: Tenant, make_record: MakeRecord
) -> None:
    at = NOW - timedelta(hours=20)
    await ship(database, with_body(make_record(tenant.id, at), await keys.live(tenant.id), "x"))
    for days in (0, -5):
        assert await retention.run_once(NOW, {tenant.id: days}, 30) == BodyRetentionCounts(0, 0)


async def test_bodies_and_subjects_go_with_their_decisions(
    retention: BodyRetention, database: Database, keys: DataKeys, tenant: Tenant, neighbour: Tenant,
    make_record: MakeRecord, as_superuser: RunStatement,
) -> None:  # fmt: skip
    day = NOW - timedelta(days=20)
    for owner in (tenant, neighbour):
        for at in (day, NOW):
            body = with_body(make_record(owner.id, at), await keys.live(owner.id), "x")
            await ship(database, about(body, "anna@example.org"))
    await as_superuser("DELETE FROM public.decisions WHERE tenant_id = $1 AND opened_at <= $2", tenant.id, day)
    assert (await retention.run_once(NOW, {}, 30)).rows == 2
    for table in ("bodies", "decision_subjects"):
        assert [len(await places(as_superuser, table, owner)) for owner in (tenant, neighbour)] == [1, 2]


async def test_a_day_without_subjects_loses_its_partition(retention: BodyRetention, as_superuser: RunStatement) -> None:
    day = (NOW - timedelta(days=32)).date()
    await as_superuser("SELECT private.create_day_partition('decision_subjects', $1)", day)
    assert (await retention.run_once(NOW, {}, 30)).partitions == 1
    assert await as_superuser("SELECT to_regclass($1)::text", f"private.decision_subjects_{day:%Y%m%d}") == [(None,)]


async def test_what_somebody_reads_is_dropped_later_and_stalls_nobody(
    retention: BodyRetention, database: Database, keys: DataKeys, tenant: Tenant, make_record: MakeRecord,
    as_superuser: RunStatement,
) -> None:  # fmt: skip
    await as_superuser("SELECT private.create_day_partition('bodies', $1)", tomorrow(-3))
    async with database.transaction(Role.APP, tenant.id) as connection:
        await connection.fetch("SELECT * FROM private.read_bodies($1, 'test', 'test')", [make_record(tenant.id).id])
        assert (await retention.run_once(NOW, {}, 30)).partitions == 0
    assert (await retention.run_once(NOW, {}, 30)).partitions == 1
