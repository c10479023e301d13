"""From the foundation's schema, with rows in it, to today's: everything still there, readable and findable."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from storage.decisions.conditions import DecisionFilter
from storage.decisions.decisions import DecisionReader
from storage.decisions.search import DecisionSearch
from storage.decisions.writer import PostgresSink
from storage.migrate import FOLDER, load_migrations, migrate
from storage.postgres import Database, Session
from storage.types import Tenant
from storage.uuid7 import uuid7
from tests.storage.conftest import DatabaseUrls, MakeRecord, RunStatement

pytestmark = pytest.mark.slow

NOW = datetime.now(UTC)
FOUNDATION = [migration.name for migration in load_migrations() if migration.name < "0006"]
# As the foundation's shipper stored them: today, and in the default partition.
_INSERT = """
INSERT INTO public.decisions SELECT private.opened_at(id), id, $2, NULL, NULL, 'old', 0, 'proxy', 'r', '/v1',
    'openai', 'gpt', 'demo', false, 'answered', 200, '', '', 'enforce', 'flag', 'flag', 'flag', '', 'pii', 0,
    '[{"rule": "PS-PII-001", "category": "pii", "content": "hmac:00"}]', false, '{}', '{}', '{}', '{}', 'p', 'sha256:0',
    'sha256:1', true, 1, 2, 1.0, 2.0, 3.0, now()
FROM unnest($1::uuid[]) AS id
"""


@pytest.fixture(scope="module")
def foundation(empty_database: DatabaseUrls, tmp_path_factory: pytest.TempPathFactory) -> DatabaseUrls:
    folder: Path = tmp_path_factory.mktemp("foundation")
    for name in FOUNDATION:
        shutil.copy(FOLDER / name, folder / name)
    asyncio.run(migrate(empty_database.owner_url, empty_database.login, folder=folder))
    return empty_database


@pytest.fixture(scope="module")
def old_rows(foundation: DatabaseUrls) -> tuple[Tenant, list[str]]:
    """A tenant, and ids of today, of ten days ago and of 1999, stored before any of the later migrations."""

    async def fill() -> tuple[Tenant, list[str]]:
        moments = (NOW, NOW - timedelta(days=10), datetime(1999, 1, 1, tzinfo=UTC))
        ids = [uuid7(moment.timestamp()) for moment in moments]
        async with Session.open(foundation.owner_url) as session, session.transaction() as connection:
            tenant_id = await connection.fetchval("SELECT private.create_tenant('old-tenant', '')")
            await connection.execute("SELECT private.create_partition($1)", NOW.date())
            await connection.execute(_INSERT, ids, tenant_id)
        return Tenant(tenant_id, "old-tenant", ""), ids

    return asyncio.run(fill())


@pytest.fixture(scope="module")
def upgraded(foundation: DatabaseUrls, old_rows: tuple[Tenant, list[str]]) -> DatabaseUrls:
    applied = asyncio.run(migrate(foundation.owner_url, foundation.login))
    assert [name for name in applied if name < "0006"] == []
    assert "0007_years.sql" in applied
    return foundation


@pytest.fixture
async def database(upgraded: DatabaseUrls) -> AsyncIterator[Database]:
    opened = await Database.connect(upgraded.url, size=2)
    yield opened
    await opened.close()


@pytest.fixture(scope="module")
def migrated(upgraded: DatabaseUrls) -> DatabaseUrls:
    """What the shared fixtures build on."""
    return upgraded


async def test_old_rows_are_read_as_they_were(database: Database, old_rows: tuple[Tenant, list[str]]) -> None:
    tenant, ids = old_rows
    for decision_id in ids:
        row = await DecisionReader(database).show(decision_id)
        assert row is not None
        assert (row["tenant"], row["request_id"], row["personal"], row["seq"]) == (tenant.slug, "r", None, None)
        assert row["scores"] == [{"rule": "PS-PII-001", "category": "pii", "content": "hmac:00"}]


async def test_old_rows_are_found_by_the_new_indexes(database: Database, old_rows: tuple[Tenant, list[str]]) -> None:
    tenant, ids = old_rows
    for wanted in (
        DecisionFilter(tenant=tenant.slug),
        DecisionFilter(rule="PS-PII-001"),
        DecisionFilter(request_id="r"),
    ):
        page = await DecisionSearch(database).page(wanted)
        assert [row["id"] for row in page.rows] == ids


async def test_old_rows_in_the_default_partition_move_when_their_day_is_made(
    database: Database, old_rows: tuple[Tenant, list[str]], as_superuser: RunStatement
) -> None:
    look = "SELECT tableoid::regclass::text FROM public.decisions WHERE id = $1"
    assert await as_superuser(look, old_rows[1][1]) == [("private.decisions_default",)]
    await as_superuser("SELECT private.create_partition($1)", (NOW - timedelta(days=10)).date())
    assert await as_superuser(look, old_rows[1][1]) == [(f"private.decisions_{NOW - timedelta(days=10):%Y%m%d}",)]


async def test_new_rows_stand_beside_old_ones(
    database: Database, old_rows: tuple[Tenant, list[str]], make_record: MakeRecord
) -> None:
    tenant, ids = old_rows
    record = make_record(tenant.id, request_id="new")
    await PostgresSink(database).write([record])
    rows = (await DecisionSearch(database).page(DecisionFilter(tenant=tenant.slug))).rows
    assert [row["id"] for row in rows] == [record.id, *ids]
    assert rows[0]["seq"] == 1


async def test_the_views_of_an_old_tenant_have_the_new_columns(
    old_rows: tuple[Tenant, list[str]], as_superuser: RunStatement
) -> None:
    rows = await as_superuser(
        "SELECT relname::text FROM pg_class WHERE relkind = 'v' AND relnamespace = $1::regnamespace ORDER BY 1",
        f"tenant_{old_rows[0].id}",
    )
    assert {"decisions", "rollups"} <= {name for (name,) in rows}
    columns = await as_superuser(
        "SELECT count(*) FROM pg_attribute WHERE attrelid = $1::regclass AND attname = 'personal'",
        f"tenant_{old_rows[0].id}.decisions",
    )
    assert columns == [(1,)]
