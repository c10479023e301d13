"""Decisions to decide again come oldest first, page by page, and only one tenant's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from storage.decisions.recorded import quiet_decisions, recorded_decisions
from storage.decisions.writer import PostgresSink
from storage.postgres import Database
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


READ: dict[str, Any] = {
    "scores": "[]", "intended_action": "allow", "outcome": "answered", "coverage": '{"request": {}}', "degraded": (),
}  # fmt: skip
LOUD: tuple[dict[str, Any], ...] = (
    {"scores": '[{"rule": "PS-INJ-001"}]'},
    {"intended_action": "flag"},
    {"scores_overflow": True},
    {"degraded": ("patterns",)},
    {"outcome": "rejected"},
    {"outcome": "internal_error"},
    {"coverage": "{}"},
    {"coverage": '{"request": {"unscanned": {"media": 1}}}'},
    {"coverage": '{"request": {}, "judges": {"calls": 1}}'},
)


async def test_what_no_policy_decides_otherwise_is_counted_and_the_rest_is_read(
    database: Database, tenant: Tenant, neighbour: Tenant, make_record: MakeRecord
) -> None:
    quiet = [make_record(tenant.id, NOW - timedelta(hours=n * 20), **READ) for n in range(3)]
    loud = [make_record(tenant.id, NOW - timedelta(minutes=1), **(READ | odd)) for odd in LOUD]
    await PostgresSink(database).write([*quiet, *loud, make_record(neighbour.id, NOW, **READ)])
    since, until = NOW - timedelta(days=3), NOW + timedelta(minutes=1)

    counted = [count async for _, _, count in quiet_decisions(database, tenant.id, since, until)]
    pages = [page async for page in recorded_decisions(database, tenant.id, since, until, quiet=False)]
    assert sum(counted) == len(quiet)
    assert {row["id"] for page in pages for row, _ in page} == {record.id for record in loud}
