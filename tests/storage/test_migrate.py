"""Migrations: once each, never changed, from whatever login the operator has."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from detectors.errors import DatabaseUnavailableError, StorageError
from storage.migrate import load_migrations, migrate
from storage.postgres import Database, Session
from storage.tenants.tenants import TenantStore
from tests.storage.conftest import DatabaseUrls, run_outside_transactions

pytestmark = pytest.mark.slow

NAMES = tuple(migration.name for migration in load_migrations())


async def _rows(url: str, query: str, *args: object) -> list[tuple[object, ...]]:
    async with Session.open(url) as session, session.transaction() as connection:
        return [tuple(value for _, value in row.items()) for row in await connection.fetch(query, *args)]


async def test_two_at_once_apply_each_file_once_and_a_later_run_nothing(empty_database: DatabaseUrls) -> None:
    urls, lines = empty_database, list[str]()
    both = await asyncio.gather(*(migrate(urls.owner_url, urls.login, lines.append) for _ in range(2)))
    assert sorted(both[0] + both[1]) == sorted(NAMES)
    assert sorted(lines) == [f"applied {name}" for name in NAMES]
    assert await migrate(urls.owner_url, urls.login) == ()


async def test_all_of_ours_belongs_to_ps_owner(migrated: DatabaseUrls) -> None:
    owners = await _rows(
        migrated.owner_url,
        "SELECT DISTINCT relowner::regrole::text FROM pg_class"
        " WHERE relnamespace IN ('public'::regnamespace, 'private'::regnamespace)",
    )
    assert owners == [("ps_owner",)]


async def test_a_file_changed_after_it_was_applied_is_refused(migrated: DatabaseUrls, tmp_path: Path) -> None:
    (tmp_path / NAMES[0]).write_text("SELECT 'something else'")
    with pytest.raises(StorageError, match=rf"{NAMES[0]} was changed after it was applied"):
        await migrate(migrated.owner_url, migrated.login, folder=tmp_path)


async def test_a_file_that_fails_leaves_nothing_and_is_named(migrated: DatabaseUrls, tmp_path: Path) -> None:
    (tmp_path / "9000_half.sql").write_text("CREATE TABLE private.half (); SELECT 1/0;")
    with pytest.raises(StorageError, match=r"9000_half\.sql: "):
        await migrate(migrated.owner_url, migrated.login, folder=tmp_path)
    assert await _rows(migrated.owner_url, "SELECT to_regclass('private.half')") == [(None,)]
    assert await migrate(migrated.owner_url, migrated.login) == ()


async def test_a_database_newer_than_the_program_is_said_and_served(migrated: DatabaseUrls, tmp_path: Path) -> None:
    lines = list[str]()
    assert await migrate(migrated.owner_url, migrated.login, lines.append, folder=tmp_path) == ()
    assert f"the database is newer than this program: it has {NAMES[0]}" in lines


async def test_a_login_that_does_not_exist_is_named(migrated: DatabaseUrls) -> None:
    with pytest.raises(StorageError, match='no role "nobody-there"'):
        await migrate(migrated.owner_url, "nobody-there")


async def test_the_runtime_login_cannot_migrate(migrated: DatabaseUrls) -> None:
    with pytest.raises(DatabaseUnavailableError, match="permission denied"):
        await migrate(migrated.url, migrated.login)


@pytest.fixture
def single_login(empty_database: DatabaseUrls) -> Iterator[DatabaseUrls]:
    """A managed server: one login without superuser that owns its database and has made our roles."""
    name, owner_url = f"single_{secrets.token_hex(6)}", empty_database.owner_url
    ours = "ps_owner, ps_app, ps_ship, ps_reader, ps_access, ps_tenant"
    asyncio.run(
        run_outside_transactions(
            owner_url,
            f"CREATE ROLE {name} LOGIN CREATEROLE PASSWORD 'single-test'",
            f"GRANT {ours} TO {name} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE",
            f"CREATE DATABASE {name} OWNER {name}",
        )
    )
    url = empty_database.named(name).log_in_as(name, "single-test")
    yield DatabaseUrls(url, url)
    asyncio.run(
        run_outside_transactions(
            owner_url, f"DROP DATABASE {name} WITH (FORCE)", f"DROP OWNED BY {name}", f"DROP ROLE {name}"
        )
    )


async def test_one_login_that_owns_its_database_is_enough(migrated: DatabaseUrls, single_login: DatabaseUrls) -> None:
    assert await migrate(single_login.owner_url, single_login.login) == NAMES
    database = await Database.connect(single_login.url, size=1)
    tenant = await TenantStore(database).create("acme")
    assert await TenantStore(database).list() == (tenant,)
    await database.close()
    await run_outside_transactions(
        single_login.url,
        "SET ROLE ps_owner",
        f"DROP SCHEMA tenant_{tenant.id} CASCADE",
        f"DROP ROLE tenant_{tenant.id}",
    )
