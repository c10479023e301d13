"""Rollups: the same sums as over the rows themselves, whoever writes, and however odd the rows are."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from storage.decisions.rollups import BOUNDS, BUCKETS, MOST_MODELS
from storage.decisions.writer import PostgresSink
from storage.postgres import Database, Session
from storage.types import Outcome, Role, Tenant
from tests.storage.conftest import DatabaseUrls, MakeRecord, RunStatement

pytestmark = pytest.mark.slow

AT = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


@pytest.fixture
def sink(database: Database) -> PostgresSink:
    return PostgresSink(database)


async def value_of(as_superuser: RunStatement, tenant: Tenant, column: str, dimension: str, value: str) -> object:
    """The column of the day's row of that value."""
    ((found,),) = await as_superuser(
        f"SELECT {column} FROM public.rollups"  # noqa: S608 - a column of ours
        " WHERE tenant_id = $1 AND grain = 'day' AND dimension = $2 AND value = $3",
        *(tenant.id, dimension, value),
    )
    return found


async def decisions_by(as_superuser: RunStatement, tenant: Tenant, dimension: str) -> dict[str, int]:
    rows = await as_superuser(
        "SELECT value, sum(decisions)::int FROM public.rollups"
        " WHERE tenant_id = $1 AND grain = 'day' AND dimension = $2 GROUP BY value",
        *(tenant.id, dimension),
    )
    return {str(value): int(count) for value, count in rows}


async def test_every_grain_and_dimension_adds_up_to_the_rows(
    sink: PostgresSink, tenant: Tenant, make_record: MakeRecord, as_superuser: RunStatement
) -> None:
    hours = [AT + timedelta(minutes=23 * n) for n in range(40)]
    for batch in (hours[:25], hours[25:]):
        await sink.write([make_record(tenant.id, at, model=f"m{at.minute % 3}") for at in batch])
    sums = await as_superuser(
        "SELECT grain, dimension, sum(decisions)::int, sum(completion_tokens)::int, sum(total_ms) FROM public.rollups"
        " WHERE tenant_id = $1 GROUP BY grain, dimension",
        tenant.id,
    )
    assert len(sums) == 2 * 6 + 2  # the minute has two dimensions
    assert {tuple(row[2:]) for row in sums} == {(40, 280, 860.0)}


async def test_a_batch_that_comes_twice_is_counted_once(
    sink: PostgresSink, tenant: Tenant, make_record: MakeRecord, as_superuser: RunStatement
) -> None:
    records = [make_record(tenant.id, AT) for _ in range(3)]
    await sink.write(records)
    await sink.write([*records, make_record(tenant.id, AT)])
    assert await decisions_by(as_superuser, tenant, "all") == {"": 4}


async def test_blocked_and_failed_are_told_apart(
    sink: PostgresSink, tenant: Tenant, make_record: MakeRecord, as_superuser: RunStatement
) -> None:
    await sink.write([make_record(tenant.id, AT, outcome=outcome) for outcome in Outcome])
    assert await decisions_by(as_superuser, tenant, "outcome") == dict.fromkeys(map(str, Outcome), 1)
    assert await value_of(as_superuser, tenant, "blocked", "all", "") == 2
    assert await value_of(as_superuser, tenant, "failed", "all", "") == 3


async def test_a_histogram_counts_each_measured_decision_in_its_bucket(
    sink: PostgresSink, tenant: Tenant, make_record: MakeRecord, as_superuser: RunStatement
) -> None:
    times = [0.0, 0.2, 0.25, 3.0, BOUNDS[-1], 1e9]
    await sink.write([make_record(tenant.id, AT, overhead_ms=ms, upstream_ms=0.0) for ms in times[:3]])
    await sink.write([make_record(tenant.id, AT, overhead_ms=ms, upstream_ms=0.0) for ms in times[3:]])
    await sink.write([make_record(tenant.id, AT, outcome=Outcome.INTERRUPTED)])
    wanted = [0] * BUCKETS
    wanted[0], wanted[1], wanted[4], wanted[-1] = 2, 1, 1, 2
    assert await value_of(as_superuser, tenant, "overhead", "all", "") == wanted
    assert await value_of(as_superuser, tenant, "upstream", "app", "0") == [0] * BUCKETS


@pytest.mark.parametrize("ms", [float("nan"), float("inf"), -5.0, 1e300])
async def test_a_figure_out_of_all_reason_spoils_no_sum(
    sink: PostgresSink, tenant: Tenant, make_record: MakeRecord, as_superuser: RunStatement, ms: float
) -> None:
    odd = make_record(tenant.id, AT, overhead_ms=ms, prompt_tokens=2**63 - 1, completion_tokens=-(2**63))
    await sink.write([odd, make_record(tenant.id, AT), make_record(tenant.id, AT)])
    assert await value_of(as_superuser, tenant, "overhead_ms", "all", "") == 3.0
    assert await value_of(as_superuser, tenant, "prompt_tokens", "all", "") == 1_000_000_000


async def test_a_client_that_invents_models_fills_one_row_and_known_models_keep_theirs(
    sink: PostgresSink, tenant: Tenant, make_record: MakeRecord, as_superuser: RunStatement
) -> None:
    await sink.write([make_record(tenant.id, AT, model="gpt") for _ in range(3)])
    await sink.write([make_record(tenant.id, AT, model=f"invented-{n}") for n in range(100)])
    await sink.write([make_record(tenant.id, AT, model=name) for name in ("gpt", "one-more")])
    counts = await decisions_by(as_superuser, tenant, "model")
    assert (len(counts), counts["gpt"], counts["other"]) == (MOST_MODELS + 1, 4, 100 - (MOST_MODELS - 1) + 1)


async def test_of_new_models_the_most_frequent_keep_their_names(
    sink: PostgresSink, tenant: Tenant, make_record: MakeRecord, as_superuser: RunStatement
) -> None:
    names = [f"a-{n}" for n in range(MOST_MODELS + 5)] + ["zebra", "zebra"]
    await sink.write([make_record(tenant.id, AT, model=name) for name in names])
    counts = await decisions_by(as_superuser, tenant, "model")
    assert (counts["zebra"], counts["other"]) == (2, 6)


async def test_two_writers_of_the_same_minutes_wait_for_each_other_and_lose_nothing(
    database: Database, tenant: Tenant, neighbour: Tenant, make_record: MakeRecord, as_superuser: RunStatement
) -> None:
    async def write(instance: str, owners: Sequence[Tenant]) -> None:
        for turn in range(8):
            minute = AT + timedelta(minutes=turn)
            models = [f"m{n}" for n in range(6)]
            records = [make_record(o.id, minute, model=m, instance=instance) for o in owners for m in models]
            await PostgresSink(database).write(records)

    async with asyncio.TaskGroup() as group:
        group.create_task(write("one", [tenant, neighbour]))
        group.create_task(write("two", [neighbour, tenant]))
    for owner in (tenant, neighbour):
        assert await decisions_by(as_superuser, owner, "all") == {"": 96}


async def test_a_full_bucket_stays_full_instead_of_refusing_decisions(
    sink: PostgresSink, tenant: Tenant, make_record: MakeRecord, as_superuser: RunStatement
) -> None:
    await sink.write([make_record(tenant.id, AT)])
    await as_superuser("UPDATE public.rollups SET overhead[4] = 2147483647 WHERE tenant_id = $1", tenant.id)
    await sink.write([make_record(tenant.id, AT)])
    assert await value_of(as_superuser, tenant, "overhead[4]", "all", "") == 2**31 - 1


async def test_a_tenant_sees_its_own_rollups_only(
    sink: PostgresSink, database: Database, tenant: Tenant, neighbour: Tenant, make_record: MakeRecord
) -> None:
    await sink.write([make_record(owner.id, AT) for owner in (tenant, neighbour)])
    for seen_by, owners in ((tenant.id, [tenant.id]), (None, [])):
        async with database.transaction(Role.APP, seen_by) as connection:
            rows = await connection.fetch("SELECT DISTINCT tenant_id FROM public.rollups")
        assert [row["tenant_id"] for row in rows] == owners


async def test_a_tenants_own_login_has_a_view_of_them(
    sink: PostgresSink,
    migrated: DatabaseUrls,
    tenant: Tenant,
    neighbour: Tenant,
    make_record: MakeRecord,
    as_superuser: RunStatement,
) -> None:
    await sink.write([make_record(owner.id, AT) for owner in (tenant, neighbour)])
    role = f"tenant_{tenant.id}"
    await as_superuser(f"ALTER ROLE {role} PASSWORD 'tenant-test'")
    async with (
        Session.open(migrated.log_in_as(role, "tenant-test")) as session,
        session.transaction() as connection,
    ):
        assert await connection.fetchval("SELECT array_agg(DISTINCT tenant_id) FROM rollups") == [tenant.id]


@pytest.mark.parametrize(
    ("facts", "micros"),
    [
        ('{"spent":{"micros":1250}}', 1250),
        ('{"spent":{"micros":1e300}}', 1_000_000_000_000),
        ('{"spent":{"micros":-5}}', 0),
        ('{"spent":{"micros":"many"}}', 0),
        ('{"spent":[1]}', 0),
        ("{}", 0),
    ],
)
async def test_what_answers_cost_is_summed_up_whatever_stands_there(
    sink: PostgresSink, tenant: Tenant, make_record: MakeRecord, as_superuser: RunStatement, facts: str, micros: int
) -> None:
    await sink.write([make_record(tenant.id, AT, model="gpt", facts=facts)])
    assert await value_of(as_superuser, tenant, "cost_micros", "model", "gpt") == micros
