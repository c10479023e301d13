"""A migrated database for each test module, and the records to fill it with."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from storage.decisions.writer import PostgresSink
from storage.embedded import EngineUrls
from storage.journal.journal import Journal, Sync
from storage.journal.shipper import Shipper
from storage.migrate import migrate
from storage.postgres import Database, Session
from storage.tenants.tenants import TenantStore
from storage.types import DecisionRecord, Outcome, Tenant
from storage.uuid7 import uuid7
from tests.storage.journals import Door, is_locked, opened_of

MakeRecord = Callable[..., DecisionRecord]
OpenJournal = Callable[..., Journal]
Rows = Callable[[], Awaitable[dict[str, str]]]
RunStatement = Callable[..., Awaitable[list[tuple[Any, ...]]]]
Write = Callable[..., Awaitable[str]]


@dataclass(frozen=True, slots=True)
class DatabaseUrls:
    """One database, as its run-time login and as its owner."""

    url: str
    owner_url: str

    @property
    def login(self) -> str:
        return urlsplit(self.url).username or ""

    def named(self, database: str) -> DatabaseUrls:
        """The same two logins in another database."""
        return DatabaseUrls(
            *(urlsplit(url)._replace(path=f"/{database}").geturl() for url in (self.url, self.owner_url))
        )

    def log_in_as(self, role: str, password: str) -> str:
        parts = urlsplit(self.url)
        return parts._replace(netloc=f"{role}:{password}@{parts.hostname}:{parts.port}").geturl()


async def run_outside_transactions(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def _tenant_roles(url: str) -> list[str]:
    connection = await asyncpg.connect(url)
    try:
        return [row[0] for row in await connection.fetch("SELECT nspname FROM pg_namespace WHERE nspname ~ '^tenant_'")]
    finally:
        await connection.close()


@contextmanager
def new_database(engines: EngineUrls) -> Iterator[DatabaseUrls]:
    """A database without our schema, which goes with the tenants' roles."""
    given = DatabaseUrls(engines.database_url, engines.database_owner_url)
    name = f"test_{secrets.token_hex(6)}"
    asyncio.run(run_outside_transactions(given.owner_url, f"CREATE DATABASE {name}"))
    urls = given.named(name)
    try:
        yield urls
    finally:
        roles = asyncio.run(_tenant_roles(urls.owner_url))
        drops = (f"DROP ROLE {role}" for role in roles)
        asyncio.run(run_outside_transactions(given.owner_url, f"DROP DATABASE {name} WITH (FORCE)", *drops))


@pytest.fixture(scope="module")
def empty_database(engines: EngineUrls) -> Iterator[DatabaseUrls]:
    """A database without our schema; it goes, with the tenants' roles, when the module is done."""
    with new_database(engines) as urls:
        yield urls


@pytest.fixture(scope="module")
def migrated(empty_database: DatabaseUrls) -> DatabaseUrls:
    asyncio.run(migrate(empty_database.owner_url, empty_database.login))
    return empty_database


@pytest.fixture
async def database(migrated: DatabaseUrls) -> AsyncIterator[Database]:
    opened = await Database.connect(migrated.url, size=2)
    yield opened
    await opened.close()


@pytest.fixture
async def as_superuser(migrated: DatabaseUrls) -> AsyncIterator[RunStatement]:
    """Run one statement past all row security, committed at once; returns its rows."""
    async with Session.open(migrated.owner_url) as session:

        async def run(statement: str, *args: object) -> list[tuple[Any, ...]]:
            async with session.transaction() as connection:
                rows = await connection.fetch(statement, *args)
            return [tuple(value for _, value in row.items()) for row in rows]

        yield run


@pytest.fixture
async def tenant(database: Database) -> Tenant:
    return await TenantStore(database).create(f"t-{secrets.token_hex(6)}")


@pytest.fixture
async def neighbour(database: Database) -> Tenant:
    """Another tenant."""
    return await TenantStore(database).create(f"n-{secrets.token_hex(6)}")


def new_record(tenant_id: int, at: datetime | None = None, **fields: object) -> DecisionRecord:
    """Build a record of a tenant, opened now or `at`; any field can be given."""
    values: dict[str, object] = {
        "id": uuid7(at.timestamp() if at else None), "tenant_id": tenant_id, "app_id": None, "key_id": None,
        "instance": "i1", "worker": 0, "via": "direct", "request_id": "r1", "route": "/v1/chat/completions",
        "dialect": "openai", "model": "gpt", "upstream": "demo", "streaming": False, "outcome": Outcome.ANSWERED,
        "status": 200, "error_code": "", "error_stage": "", "mode": "enforce", "action": "flag",
        "intended_action": "flag", "request_action": "flag", "response_action": "", "category": "pii",
        "confidence": 0.5, "scores": "[]", "scores_overflow": False, "facts": '{"hour":3}', "coverage": "{}",
        "digests": "{}", "degraded": ("judge",), "policy_id": "p", "policy_revision": "sha256:0",
        "ruleset_revision": "sha256:1", "provider_saw_prompt": True, "prompt_tokens": None, "completion_tokens": 7,
        "overhead_ms": 1.5, "upstream_ms": 20.0, "total_ms": 21.5, "closed_at": 1_800_000_000.25,
    }  # fmt: skip
    return DecisionRecord(**(values | fields))  # type: ignore[arg-type]


@pytest.fixture
def make_record() -> MakeRecord:
    return new_record


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The journal's."""
    return tmp_path / "journal"


@pytest.fixture
def open_journal(folder: Path) -> Iterator[OpenJournal]:
    """Open journals in `folder`; those that a test did not close live until it is done."""
    opened: list[Journal] = []

    def open_one(
        sync: Sync = Sync.PROCESS,
        segment_size: int = 8 << 20,
        disk_limit: int = 1 << 30,
        clock: Callable[[], float] = time.monotonic,
    ) -> Journal:
        opened.append(Journal(folder, sync, segment_size, disk_limit, clock))
        return opened[-1]

    yield open_one
    for journal in opened:
        if is_locked(folder / f"{journal.writer}.lock"):
            journal.close()


@pytest.fixture
def door(database: Database) -> Door:
    return Door(PostgresSink(database))


@pytest.fixture
def shipper(folder: Path, door: Door) -> Shipper:
    return Shipper(folder, [door], door)


@pytest.fixture
def rows(as_superuser: RunStatement, tenant: Tenant) -> Rows:
    """The tenant's decisions in the database: outcome by id."""

    async def fetch() -> dict[str, str]:
        found = await as_superuser("SELECT id::text, outcome FROM public.decisions WHERE tenant_id = $1", tenant.id)
        assert len(dict(found)) == len(found)
        return dict(found)

    return fetch


@pytest.fixture
def write(make_record: MakeRecord, tenant: Tenant) -> Write:
    """Journal a whole exchange, or one that is still open; return its id."""

    async def write_one(journal: Journal, *, close: bool = True, **fields: object) -> str:
        record = make_record(fields.pop("tenant_id", tenant.id), **fields)
        journal.opened(opened_of(record))
        if close:
            await journal.closed(record)
        return record.id

    return write_one
