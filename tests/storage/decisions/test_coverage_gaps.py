from __future__ import annotations

from datetime import UTC, datetime, timedelta

from storage.decisions.coverage_gaps import coverage_gaps
from storage.decisions.writer import PostgresSink
from storage.postgres import Database
from storage.types import Tenant
from tests.storage.conftest import MakeRecord

SINCE = datetime.now(UTC) - timedelta(hours=1)


async def test_gaps_are_counted_once_for_each_decision(
    database: Database, tenant: Tenant, make_record: MakeRecord
) -> None:
    unread = '{"request": {"unscanned": {"media": 3, "oversize": 1}}, "response": {"unscanned": {"media": 1}}}'
    records = [
        make_record(tenant_id=tenant.id, coverage=unread, degraded=()),
        make_record(tenant_id=tenant.id, coverage="{}", degraded=("judge",)),
        make_record(tenant_id=tenant.id, coverage='{"request": {"unscanned": {}}}', degraded=()),
    ]
    await PostgresSink(database).write(records)
    found = await coverage_gaps(database, tenant.id, SINCE)
    assert found.looked_at == 3
    assert dict(found.by_reason) == {"media": 1, "oversize": 1, "judge": 1}


async def test_nobody_s_gaps_are_somebody_else_s(database: Database, tenant: Tenant, make_record: MakeRecord) -> None:
    await PostgresSink(database).write([make_record(tenant_id=tenant.id, degraded=("judge",))])
    other = await coverage_gaps(database, tenant.id + 1_000_000, SINCE)
    assert (other.looked_at, other.by_reason) == (0, ())
    everywhere = await coverage_gaps(database, None, SINCE)
    assert everywhere.looked_at >= 1
