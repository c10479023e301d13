"""Decisions as they are read back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from detectors.errors import StorageError
from storage.decisions.decisions import DecisionReader, Following
from storage.decisions.writer import PostgresSink
from storage.postgres import Database
from storage.types import Tenant
from tests.storage.conftest import MakeRecord

pytestmark = pytest.mark.slow


@pytest.fixture
def sink(database: Database) -> PostgresSink:
    return PostgresSink(database)


@pytest.fixture
def reader(database: Database) -> DecisionReader:
    return DecisionReader(database)


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


async def test_who_follows_sees_each_once_also_what_is_stored_after_younger_ones(
    sink: PostgresSink, reader: DecisionReader, tenant: Tenant, make_record: MakeRecord
) -> None:
    start = datetime.now(UTC) - timedelta(minutes=20)
    long, *short = (make_record(tenant.id, start + timedelta(seconds=n)) for n in range(4))
    before = make_record(tenant.id, start - timedelta(seconds=1))
    await sink.write([before])
    following = Following(reader, tenant.slug, await reader.tail(tenant.slug))

    async def seen(limit: int = 20) -> list[str]:
        return [row["id"] for row in await following.more(limit)]

    assert await seen() == []
    await sink.write(short)
    assert await seen(2) == [short[0].id, short[1].id]
    await sink.write([long])
    assert await seen() == [long.id, short[2].id]
    assert await seen() == []
    late = make_record(tenant.id, start + timedelta(minutes=19))
    await sink.write([late])
    assert await seen() == [late.id]
    ahead, now = make_record(tenant.id, start + timedelta(days=1)), make_record(tenant.id)
    for record in (ahead, now):
        await sink.write([record])
        assert await seen() == [record.id]
    assert await seen() == []


async def test_who_follows_an_empty_log_sees_the_first_ones(
    sink: PostgresSink, reader: DecisionReader, tenant: Tenant, make_record: MakeRecord
) -> None:
    following = Following(reader, tenant.slug, ())
    assert await following.more(5) == ()
    records = [make_record(tenant.id) for _ in range(2)]
    await sink.write(records)
    assert {row["id"] for row in await following.more(5)} == {record.id for record in records}
    assert await following.more(5) == ()
