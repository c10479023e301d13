"""Decisions are written once each, whole batches or nothing."""

from __future__ import annotations

import asyncio
import struct
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from detectors.errors import DatabaseUnavailableError, StorageError
from storage.chains.canonical import seal
from storage.chains.chain import GENESIS, link_hash
from storage.decisions.decisions import DecisionReader
from storage.decisions.writer import PostgresSink
from storage.postgres import Database
from storage.types import DecisionRecord, Tenant
from tests.storage.conftest import DatabaseUrls, MakeRecord, RunStatement


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
        " AND attrelid IN ('public.decisions'::regclass, 'private.incoming'::regclass) ORDER BY attnum"
    )
    named = [field.name for field in fields(DecisionRecord)]
    link = ["seq", "prev", "hash", "opened_at"]
    assert [column for table, column in rows if table == "private.incoming"] == named + link
    assert {column for table, column in rows if table == "decisions"} == {*named, *link} - {"subjects", "bodies"}


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
        "degraded": ["judge", "cache"], "personal": {}, "closed_at": datetime.fromtimestamp(record.closed_at, UTC),
    }  # fmt: skip
    link = {"seq": 1, "prev": GENESIS, "hash": link_hash(GENESIS, 1, seal(record).canonical), "canonical": 1}
    ours = {"opened_at": at, "tenant": tenant.slug, "app": None}
    elsewhere = {"subjects": None, "bodies": None}
    assert shown | elsewhere == asdict(record) | changed | link | ours | elsewhere


@pytest.mark.parametrize("measure", [-0.0, float("nan"), float("inf"), 5e-324, 1.7976931348623157e308, 0.1, 1e22])
async def test_a_measure_arrives_to_the_last_bit(
    database: Database, tenant: Tenant, make_record: MakeRecord, as_superuser: RunStatement, measure: float
) -> None:
    record = make_record(tenant.id, total_ms=measure, confidence=0.1 + 0.2)
    await PostgresSink(database).write_sealed([seal(record)])
    ((sent,),) = await as_superuser(
        "SELECT float8send(total_ms) || float8send(confidence) FROM public.decisions WHERE id = $1", record.id
    )
    assert sent == struct.pack(">dd", measure, 0.1 + 0.2)


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


async def test_rows_that_waited_in_the_default_move_along_to_their_day(
    sink: PostgresSink, database: Database, tenant: Tenant, make_record: MakeRecord, as_superuser: RunStatement
) -> None:
    day = datetime.now(UTC) - timedelta(days=20)
    early, late = make_record(tenant.id, day), make_record(tenant.id, day)
    sink._partitions._settled = frozenset({day.date()})  # as if it could not be made at first
    await sink.write([early])
    await PostgresSink(database).write([late])
    assert {await _partition_of(as_superuser, record) for record in (early, late)} == {
        f"private.decisions_{day:%Y%m%d}"
    }


async def test_a_row_of_a_purged_tenant_is_refused_as_data(
    sink: PostgresSink, reader: DecisionReader, tenant: Tenant, make_record: MakeRecord
) -> None:
    with pytest.raises(StorageError, match="tenant_id_fkey") as caught:
        await sink.write([make_record(tenant.id), make_record(987_654_321)])
    assert not isinstance(caught.value, DatabaseUnavailableError)
    assert await reader.tail(tenant.slug) == ()


POISON: dict[str, dict[str, Any]] = {
    "no uuid": {"id": "x"},
    "upper case": {"id": "019DF9A1-0000-7000-8000-00000000000A"},
    "no text": {"id": 7},
    "not version 7": {"id": str(uuid4())},
    "after the year 9999": {"id": "ffffffff-ffff-7000-8000-000000000000"},
    "unknown outcome": {"outcome": "fine"},
    "confidence over 1": {"confidence": 1.5},
    "confidence not a number": {"confidence": float("nan")},
    "NUL in text": {"model": "a\x00b"},
    "lone surrogate": {"model": "\ud800"},
    "no JSON": {"facts": "{"},
    "no JSON, said to be canonical": {"facts": "{", "canonical": 1},
    "nested too deeply": {"facts": "[" * 500 + "]" * 500},
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
