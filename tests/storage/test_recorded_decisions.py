"""Decisions to decide again come oldest first, page by page, and only one tenant's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from storage.decision_writer import PostgresSink
from storage.postgres import Database
from storage.recorded_decisions import recorded_decisions
from storage.types import Tenant
from tests.storage.conftest import MakeRecord

NOW = datetime.now(UTC)


async def test_all_of_a_tenants_come_once_and_in_their_order(
    database: Database, tenant: Tenant, neighbour: Tenant, make_record: MakeRecord
) -> None:
    records = [make_record(tenant.id, NOW - timedelta(seconds=n), scores='[{"a": 1}]') for n in range(5)]
    await PostgresSink(database).write([*records, make_record(neighbour.id, NOW)])
    pages = [page async for page in recorded_decisions(database, tenant.id, NOW - timedelta(hours=1), page=2)]
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [row["id"] for page in pages for row, _ in page] == [record.id for record in reversed(records)]


async def test_what_lies_before_since_or_after_until_is_left_out(
    database: Database, tenant: Tenant, make_record: MakeRecord
) -> None:
    records = [make_record(tenant.id, NOW - timedelta(minutes=n)) for n in (1, 10, 30)]
    await PostgresSink(database).write(records)
    window = (NOW - timedelta(minutes=20), NOW - timedelta(minutes=5))
    pages = [page async for page in recorded_decisions(database, tenant.id, *window)]
    assert [[row["id"] for row, _ in page] for page in pages] == [[records[1].id]]


async def test_a_tenant_without_decisions_has_no_page(database: Database, tenant: Tenant) -> None:
    assert [page async for page in recorded_decisions(database, tenant.id, NOW)] == []
