"""Accounts on a database of their own."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterator

import pytest

from storage.accounts.users import NewUser, User, UserStore
from storage.embedded import EngineUrls
from storage.migrate import migrate
from storage.postgres import Database
from tests.storage.conftest import DatabaseUrls, as_superuser, database, neighbour, new_database, tenant

__all__ = ["as_superuser", "database", "neighbour", "tenant"]
KEY = bytes(range(32))
MakeUser = Callable[..., Awaitable[User]]


@pytest.fixture(scope="session")
def migrated(engines: EngineUrls) -> Iterator[DatabaseUrls]:
    """One database for all tests of this folder: each makes users and tenants of its own."""
    with new_database(engines) as urls:
        asyncio.run(migrate(urls.owner_url, urls.login))
        yield urls


@pytest.fixture
def make_user(database: Database) -> MakeUser:
    async def make(role: str = "platform_admin", tenant_id: int | None = None) -> User:
        name = f"u{secrets.token_hex(6)}@acme.example"
        return await UserStore(database).create(NewUser(name, role, tenant_id, "a hash"))

    return make
