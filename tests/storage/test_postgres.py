"""The door to Postgres: roles, tenants, and whose fault an error is."""

from __future__ import annotations

import asyncio

import pytest

from detectors.errors import DatabaseUnavailableError, StorageError
from storage.postgres import Database
from storage.types import Role, Tenant
from tests.storage.conftest import DatabaseUrls, RunStatement

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("role", list(Role))
async def test_a_transaction_runs_under_its_role_and_the_connection_goes_back_without_it(
    database: Database, role: Role
) -> None:
    for _ in range(3):
        async with database.transaction(role) as connection:
            assert await connection.fetchval("SELECT current_user") == role.value


async def test_a_tenant_does_not_outlive_its_transaction(migrated: DatabaseUrls, tenant: Tenant) -> None:
    database = await Database.connect(migrated.url, size=1)
    async with database.transaction(Role.APP, tenant.id) as connection:
        assert await connection.fetchval("SELECT private.current_tenant()") == tenant.id
    async with database.transaction(Role.APP) as connection:
        assert await connection.fetchval("SELECT private.current_tenant()") is None
    await database.close()


async def test_whoever_connects_later_learns_then_that_nobody_is_there(migrated: DatabaseUrls) -> None:
    nowhere = "postgresql://ps@127.0.0.1:9/ps"  # the discard port: nothing listens there
    with pytest.raises(DatabaseUnavailableError):
        await Database.connect(nowhere)
    database = await Database.connect(nowhere, at_once=False)
    with pytest.raises(DatabaseUnavailableError):
        await database.ping()
    await database.close()


async def test_whoever_is_cancelled_while_the_connection_is_lost_is_cancelled(
    migrated: DatabaseUrls, as_superuser: RunStatement
) -> None:
    database = await Database.connect(migrated.url, size=1)

    async def lose_it() -> None:
        async with database.transaction(Role.APP) as connection:
            pid = await connection.fetchval("SELECT pg_backend_pid()")
            await as_superuser("SELECT pg_terminate_backend($1, 5000)", pid)
            task.cancel()
            await connection.fetchval("SELECT 1")

    task = asyncio.ensure_future(lose_it())
    with pytest.raises(asyncio.CancelledError):
        await task
    await database.close()


async def test_a_failing_body_is_rolled_back(database: Database, tenant: Tenant) -> None:
    async def fail() -> None:
        async with database.transaction(Role.APP, tenant.id) as connection:
            await connection.execute("INSERT INTO public.apps (tenant_id, name) VALUES ($1, 'lost')", tenant.id)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with database.transaction(Role.APP, tenant.id) as connection:
        assert await connection.fetchval("SELECT count(*) FROM public.apps WHERE name = 'lost'") == 0


async def test_the_reader_cannot_write(database: Database) -> None:
    with pytest.raises(DatabaseUnavailableError, match="read-only transaction"):
        async with database.transaction(Role.READER) as connection:
            await connection.execute("UPDATE private.revisions SET policies = 9")


async def test_refused_data_are_a_storage_error_that_does_not_quote_them(database: Database) -> None:
    with pytest.raises(StorageError) as caught:
        async with database.transaction(Role.APP) as connection:
            await connection.fetchval("SELECT $1::text::bigint", "my-own-words")
    assert not isinstance(caught.value, DatabaseUnavailableError)
    assert "my-own-words" not in str(caught.value)


async def test_a_parameter_of_the_wrong_type_is_a_storage_error(database: Database) -> None:
    with pytest.raises(StorageError, match="refused the data"):
        async with database.transaction(Role.APP) as connection:
            await connection.fetchval("SELECT $1::bigint", "not a number")


async def test_a_lost_connection_is_unavailable_and_the_next_transaction_works(
    database: Database, as_superuser: RunStatement
) -> None:
    async def lose() -> None:
        async with database.transaction(Role.APP) as connection:
            await as_superuser("SELECT pg_terminate_backend($1)", await connection.fetchval("SELECT pg_backend_pid()"))
            await connection.fetchval("SELECT 1")

    with pytest.raises(DatabaseUnavailableError):
        await lose()
    await database.ping()


async def test_a_used_up_pool_waits_and_serves_all(database: Database) -> None:
    await asyncio.gather(*(database.ping() for _ in range(20)))


async def test_a_server_that_is_not_there_is_unavailable(migrated: DatabaseUrls, unused_tcp_port: int) -> None:
    with pytest.raises(DatabaseUnavailableError):
        await Database.connect(f"postgresql://someone:secret@127.0.0.1:{unused_tcp_port}/nothing")


async def test_a_refused_login_is_unavailable(migrated: DatabaseUrls) -> None:
    with pytest.raises(DatabaseUnavailableError, match="password authentication failed") as caught:
        await Database.connect(migrated.log_in_as(migrated.login, "wrong-password"))
    assert "wrong-password" not in str(caught.value)


async def test_a_malformed_address_is_not_quoted() -> None:
    with pytest.raises(StorageError) as caught:
        await Database.connect("postgresql://user:pass/word@localhost:5432/name")
    assert "pass" not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_a_closed_database_is_unavailable(migrated: DatabaseUrls) -> None:
    database = await Database.connect(migrated.url, size=1)
    await database.close()
    with pytest.raises(DatabaseUnavailableError):
        await database.ping()
