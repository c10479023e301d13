"""Decisions: written once each, whole batches or nothing, and read back."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, fields, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from detectors.errors import DatabaseUnavailableError, StorageError
from storage.decisions import DecisionReader, PostgresSink
from storage.postgres import Database
from storage.types import DecisionRecord, Role, Tenant
from tests.storage.conftest import DatabaseUrls, MakeRecord, RunStatement

pytestmark = pytest.mark.slow


@pytest.fixture
def sink(database: Database) -> PostgresSink:
    return PostgresSink(database)


@pytest.fixture
def reader(database: Database) -> DecisionReader:
    return DecisionReader(database)


async def _partition_of(as_superuser: RunStatement, record: DecisionRecord) -> str:
    ((partition,),) = await as_superuser(
        "SELECT tableoid::regclass::text FROM public.decisions WHERE id = $1", record.id
    )
    return str(partition)


async def test_every_field_has_a_column(as_superuser: RunStatement) -> None:
    rows = await as_superuser(
        "SELECT attrelid::regclass::text, attname FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped"
        " AND attrelid IN ('public.decisions'::regclass, 'private.decision_record'::regclass) ORDER BY attnum"
    )
    named = [field.name for field in fields(DecisionRecord)]
    assert [column for table, column in rows if table == "private.decision_record"] == named
    expected = {*named, "opened_at", "seq", "prev", "hash"}
    assert {column for table, column in rows if table == "decisions"} == expected


async def test_a_written_record_is_read_back_whole(
    sink: PostgresSink, reader: DecisionReader, tenant: Tenant, make_record: MakeRecord
) -> None:
    at = datetime(2026, 5, 4, 3, 2, 1, 987000, UTC)
    record = make_record(tenant.id, at, scores='[{"confidence":0.25}]', degraded=("judge", "cache"))
    await sink.write([record])
    shown = await reader.show(record.id)
    assert shown is not None
    changed = {
        "scores": [{"confidence": 0.25}], "facts": {"hour": 3}, "coverage": {}, "digests": {},
        "degraded": ["judge", "cache"], "closed_at": datetime.fromtimestamp(record.closed_at, UTC),
    }  # fmt: skip
    ours = {"opened_at": at, "tenant": tenant.slug, "app": None, "seq": None, "prev": None, "hash": None}
    assert shown == asdict(record) | changed | ours


async def test_the_same_record_twice_leaves_one_row(
    sink: PostgresSink, reader: DecisionReader, tenant: Tenant, make_record: MakeRecord
) -> None:
    record = make_record(tenant.id)
    await sink.write([record, record])
    await sink.write([replace(record, model="changed")])
    (row,) = await reader.tail(tenant.slug)
    assert row["model"] == "gpt"


async def test_a_record_lands_in_the_partition_of_its_day(
    sink: PostgresSink, tenant: Tenant, make_record: MakeRecord, as_superuser: RunStatement
) -> None:
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for at in (midnight, midnight - timedelta(milliseconds=1)):
        record = make_record(tenant.id, at)
        await sink.write([record])
        assert await _partition_of(as_superuser, record) == f"private.decisions_{at:%Y%m%d}"


async def test_a_row_outside_all_partitions_lands_in_the_default(
    sink: PostgresSink, reader: DecisionReader, tenant: Tenant, make_record: MakeRecord, as_superuser: RunStatement
) -> None:
    for year in (1999, 2099):
        record = make_record(tenant.id, datetime(year, 1, 1, tzinfo=UTC))
        await sink.write([record])
        assert await _partition_of(as_superuser, record) == "private.decisions_default"
        assert await reader.show(record.id)


async def test_a_day_whose_rows_are_in_the_default_stays_there(
    sink: PostgresSink, database: Database, tenant: Tenant, make_record: MakeRecord, as_superuser: RunStatement
) -> None:
    day = datetime.now(UTC) - timedelta(days=20)
    early, late = make_record(tenant.id, day), make_record(tenant.id, day)
    sink._settled = frozenset({day.date()})  # as if its partition could not be made when it was first written
    await sink.write([early])
    await PostgresSink(database).write([late])
    assert await _partition_of(as_superuser, late) == "private.decisions_default"


async def test_a_partition_that_a_long_reader_holds_up_is_made_later(
    sink: PostgresSink, database: Database, tenant: Tenant, make_record: MakeRecord, as_superuser: RunStatement
) -> None:
    day: date = (datetime.now(UTC) - timedelta(days=25)).date()
    async with database.transaction(Role.READER, tenant.id) as connection:
        await connection.fetchval("SELECT count(*) FROM public.decisions")
        await sink._ensure_partitions({day})
    assert day not in sink._settled
    await sink.write([make_record(tenant.id, datetime(day.year, day.month, day.day, 12, tzinfo=UTC))])
    assert day in sink._settled
    assert await as_superuser("SELECT to_regclass($1) IS NOT NULL", f"private.decisions_{day:%Y%m%d}") == [(True,)]


async def test_a_row_of_a_purged_tenant_is_refused_as_data(
    sink: PostgresSink, reader: DecisionReader, tenant: Tenant, make_record: MakeRecord
) -> None:
    with pytest.raises(StorageError, match="decisions_tenant_id_fkey") as caught:
        await sink.write([make_record(tenant.id), make_record(987_654_321)])
    assert not isinstance(caught.value, DatabaseUnavailableError)
    assert await reader.tail(tenant.slug) == ()


POISON: dict[str, dict[str, Any]] = {
    "no uuid": {"id": "x"},
    "not version 7": {"id": str(uuid4())},
    "after the year 9999": {"id": "ffffffff-ffff-7000-8000-000000000000"},
    "unknown outcome": {"outcome": "fine"},
    "confidence over 1": {"confidence": 1.5},
    "confidence not a number": {"confidence": float("nan")},
    "NUL in text": {"model": "a\x00b"},
    "lone surrogate": {"model": "\ud800"},
    "no JSON": {"facts": "{"},
    "NUL in JSON": {"facts": '{"a": "\\u0000"}'},
    "number too large": {"status": 2**40},
    "number far too large": {"prompt_tokens": 2**80},
    "wrong type": {"status": "ok"},
    "closed at no time": {"closed_at": float("nan")},
    "closed beyond all time": {"closed_at": 1e300},
    "null": {"model": None},
}


@pytest.mark.parametrize("fields", POISON.values(), ids=POISON.keys())
async def test_a_poison_record_is_refused_as_data(
    sink: PostgresSink, tenant: Tenant, make_record: MakeRecord, fields: dict[str, Any]
) -> None:
    with pytest.raises(StorageError) as caught:
        await sink.write([make_record(tenant.id, **fields)])
    assert not isinstance(caught.value, DatabaseUnavailableError)


@pytest.mark.parametrize(
    "record",
    [b'{"tenant_id": 7, "model": "\\u0000"}', b"[]", b'{"tenant_id": 1e99}', b"{broken", b"\x00\xff\xed\xa0\x80", b""],
)
async def test_anything_can_be_a_dead_letter(sink: PostgresSink, as_superuser: RunStatement, record: bytes) -> None:
    await sink.write_dead_letter(record, "refused")
    letters = await as_superuser("SELECT tenant_id, reason FROM private.dead_letters ORDER BY id DESC LIMIT 1")
    assert letters == [(7 if b"7" in record else None, "refused")]


async def test_two_shippers_at_once_share_a_new_partition(
    database: Database, tenant: Tenant, make_record: MakeRecord, as_superuser: RunStatement
) -> None:
    records = [make_record(tenant.id, datetime.now(UTC) - timedelta(days=10)) for _ in range(2)]
    await asyncio.gather(*(PostgresSink(database).write([record]) for record in records))
    assert len({await _partition_of(as_superuser, record) for record in records}) == 1


async def test_a_database_that_is_away_is_told_from_bad_data(
    migrated: DatabaseUrls, tenant: Tenant, make_record: MakeRecord
) -> None:
    database = await Database.connect(migrated.url, size=1)
    await database.close()
    with pytest.raises(DatabaseUnavailableError):
        await PostgresSink(database).write([make_record(tenant.id)])


async def test_tail_is_the_newest_of_a_tenant_in_order(
    sink: PostgresSink, reader: DecisionReader, tenant: Tenant, neighbour: Tenant, make_record: MakeRecord
) -> None:
    start = datetime.now(UTC) - timedelta(days=3)
    records = [make_record(tenant.id, start + timedelta(hours=12 * n)) for n in range(6)]
    await sink.write([*reversed(records), make_record(neighbour.id)])
    assert [row["id"] for row in await reader.tail(tenant.slug, 4)] == [record.id for record in records[2:]]
    after = await reader.tail(tenant.slug, 2, records[1].id)
    assert [row["id"] for row in after] == [records[2].id, records[3].id]
    assert await reader.tail(tenant.slug, 5, records[5].id) == ()
    assert len(await reader.tail(None, 100)) >= 7
    assert await reader.tail("nobody") == ()


async def test_show_of_what_is_not_there(reader: DecisionReader) -> None:
    assert await reader.show("01999999-0000-7000-8000-000000000000") is None
    with pytest.raises(StorageError, match="a decision's id is a UUID"):
        await reader.show("; drop table")
