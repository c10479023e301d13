"""Decisions as they are read back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from detectors.errors import StorageError
from storage.decisions.decisions import DecisionReader
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
