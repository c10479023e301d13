"""Bad days of Postgres: it is there and cannot serve. The journal keeps what it has, and ships it once it can."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from storage.decisions.writer import PostgresSink
from storage.journal.shipper import Shipper
from storage.postgres import Database
from storage.types import Tenant
from tests.storage.conftest import DatabaseUrls, MakeRecord, OpenJournal, RunStatement

pytestmark = pytest.mark.slow

Trouble = Callable[[RunStatement, DatabaseUrls], Coroutine[Any, Any, None]]


async def make_read_only(run: RunStatement, urls: DatabaseUrls) -> None:
    await run(f"ALTER ROLE {urls.login} SET default_transaction_read_only = on")
    await end_sessions(run, urls)


async def make_writable(run: RunStatement, urls: DatabaseUrls) -> None:
    await run(f"ALTER ROLE {urls.login} RESET default_transaction_read_only")
    await end_sessions(run, urls)


async def close_the_door(run: RunStatement, urls: DatabaseUrls) -> None:
    await run(f"ALTER ROLE {urls.login} CONNECTION LIMIT 0")
    await end_sessions(run, urls)


async def open_the_door(run: RunStatement, urls: DatabaseUrls) -> None:
    await run(f"ALTER ROLE {urls.login} CONNECTION LIMIT -1")


async def fill_the_disk(run: RunStatement, _urls: DatabaseUrls) -> None:
    """As the server says it: SQLSTATE 53100, in the middle of an insert."""
    await run(
        "CREATE FUNCTION public.no_space() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION"
        " 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$"
    )
    await run("GRANT EXECUTE ON FUNCTION public.no_space() TO PUBLIC")
    await run(
        "CREATE TRIGGER no_space BEFORE INSERT ON public.rollups FOR EACH STATEMENT EXECUTE FUNCTION public.no_space()"
    )


async def free_the_disk(run: RunStatement, _urls: DatabaseUrls) -> None:
    await run("DROP TRIGGER no_space ON public.rollups")
    await run("DROP FUNCTION public.no_space()")


async def end_sessions(run: RunStatement, urls: DatabaseUrls) -> None:
    await run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", urls.login)


@asynccontextmanager
async def in_trouble(begin: Trouble, end: Trouble, run: RunStatement, urls: DatabaseUrls) -> AsyncIterator[None]:
    await begin(run, urls)
    try:
        yield
    finally:
        await end(run, urls)


@pytest.mark.parametrize(
    ("begin", "end"),
    [(make_read_only, make_writable), (close_the_door, open_the_door), (fill_the_disk, free_the_disk)],
    ids=["read-only", "out of connections", "disk full"],
)
async def test_what_postgres_cannot_take_now_waits_in_the_journal_and_arrives_once(
    begin: Trouble,
    end: Trouble,
    migrated: DatabaseUrls,
    database: Database,
    as_superuser: RunStatement,
    tenant: Tenant,
    make_record: MakeRecord,
    open_journal: OpenJournal,
    folder: Path,
) -> None:
    journal = open_journal()
    sink = PostgresSink(database)
    shipper = Shipper(folder, [sink], sink)
    records = [make_record(tenant.id) for _ in range(3)]
    for record in records:
        await journal.closed(record)
    async with in_trouble(begin, end, as_superuser, migrated):
        assert await shipper.ship_once() == 0
    assert shipper.counts.sinks["postgres"].failures
    assert shipper.counts.dead_letters == 0
    for _ in range(5):  # a connection that was ended is noticed when it is used
        await shipper.ship_once()
        await asyncio.sleep(0)
    rows = await as_superuser("SELECT id::text FROM public.decisions WHERE tenant_id = $1", tenant.id)
    assert sorted(row[0] for row in rows) == sorted(record.id for record in records)
