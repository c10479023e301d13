"""Users: names, roles that fit their tenants, and who may read their hashes."""

from __future__ import annotations

import asyncio

import pytest

from detectors.errors import DatabaseUnavailableError, StorageError
from storage.accounts.users import NewUser, UserStore
from storage.postgres import Database
from storage.types import Role, Tenant
from tests.storage.accounts.conftest import MakeUser
from tests.storage.conftest import RunStatement

pytestmark = pytest.mark.slow  # a database of their own


@pytest.fixture
def users(database: Database) -> UserStore:
    return UserStore(database)


async def test_a_user_is_found_by_name_and_id(users: UserStore, make_user: MakeUser, tenant: Tenant) -> None:
    user = await make_user("analyst", tenant.id)
    assert await users.find(user.name) == await users.get(user.id) == user
    assert (user.tenant, user.enabled, user.second_factor) == (tenant.slug, True, False)
    assert await users.find("nobody") is None


@pytest.mark.parametrize("name", ["", "Anna", "anna smith", "-anna", "oidc:anna", "anna\n", "änna", "a" * 128])
async def test_a_name_is_an_address_or_a_plain_one(users: UserStore, name: str) -> None:
    with pytest.raises(StorageError, match="name is up to"):
        await users.create(NewUser(name, "platform_admin", None, "h"))


async def test_a_name_is_taken_once(users: UserStore, make_user: MakeUser) -> None:
    user = await make_user()
    with pytest.raises(StorageError, match="already"):
        await users.create(NewUser(user.name, "platform_admin", None, "h"))


@pytest.mark.parametrize(("role", "own"), [("platform_admin", True), ("tenant_admin", False), ("analyst", False)])
async def test_a_role_fits_its_tenant(users: UserStore, tenant: Tenant, role: str, *, own: bool) -> None:
    with pytest.raises(StorageError, match="users_role_fits_tenant"):
        await users.create(NewUser("somebody", role, tenant.id if own else None, "h"))


async def test_lists_go_by_tenant_and_page(
    users: UserStore, make_user: MakeUser, tenant: Tenant, neighbour: Tenant
) -> None:
    mine = [await make_user("analyst", tenant.id) for _ in range(3)]
    await make_user("analyst", neighbour.id)
    assert [user.id for user in await users.list(tenant.id)] == [user.id for user in mine]
    assert [user.id for user in await users.list(tenant.id, after=mine[0].id, limit=1)] == [mine[1].id]
    assert len(await users.list()) >= 4


async def test_whom_a_provider_vouches_for_has_no_password_and_follows_the_provider(
    users: UserStore, tenant: Tenant
) -> None:
    first = await users.vouched("https://id", "s1", "oidc:anna", "analyst", tenant.id)
    again = await users.vouched("https://id", "s1", "oidc:renamed", "platform_admin", None)
    assert (first.id, again.role, again.tenant) == (again.id, "platform_admin", None)
    with pytest.raises(StorageError, match="no such user"):
        await users.set_password(first.id, "h", must_change=False)


async def test_nobody_local_is_called_like_one_of_a_provider(database: Database) -> None:
    with pytest.raises(StorageError, match="users_check"):
        async with database.transaction(Role.ACCESS) as connection:
            await connection.execute("INSERT INTO private.users (name, role) VALUES ('oidc:x', 'platform_admin')")


async def test_a_better_hash_replaces_the_one_it_was_made_from_alone(users: UserStore, make_user: MakeUser) -> None:
    user = await make_user()
    await users.set_password(user.id, "newer", must_change=False)
    await users.rehash(user.id, "a hash", "better")
    assert await users.password_hash(user.id) == "newer"
    await users.rehash(user.id, "newer", "better")
    assert await users.password_hash(user.id) == "better"


@pytest.mark.parametrize("role", [Role.APP, Role.SHIP, Role.READER])
@pytest.mark.parametrize(
    "table", ["users", "sessions", "refresh_tokens", "second_factors", "token_keys", "service_account_secrets"]
)
async def test_no_other_role_reads_accounts(database: Database, role: Role, table: str) -> None:
    with pytest.raises(DatabaseUnavailableError, match="permission denied"):
        async with database.transaction(role) as connection:
            await connection.fetch(f"SELECT * FROM private.{table}")  # noqa: S608 - the table above


async def test_a_role_and_whether_somebody_is_let_in_change_together_or_not_at_all(
    users: UserStore, make_user: MakeUser, as_superuser: RunStatement
) -> None:
    await as_superuser("UPDATE private.users SET disabled_at = now()")
    auditor = await make_user("auditor")
    await users.change(auditor.id, role="platform_admin", enabled=False)
    changed = await users.get(auditor.id)
    assert changed is not None
    assert (changed.role, changed.enabled) == ("platform_admin", False)
    await users.change(auditor.id, enabled=True)
    with pytest.raises(StorageError, match="has to remain"):
        await users.change(auditor.id, role="auditor", enabled=False)
    left = await users.get(auditor.id)
    assert left is not None
    assert (left.role, left.enabled) == ("platform_admin", True)


async def test_somebody_who_administers_the_platform_remains(
    users: UserStore, make_user: MakeUser, as_superuser: RunStatement
) -> None:
    await as_superuser("UPDATE private.users SET disabled_at = now()")
    admins = [await make_user() for _ in range(2)]
    done = await asyncio.gather(*(users.change(admin.id, enabled=False) for admin in admins), return_exceptions=True)
    assert sorted(str(each) for each in done) == ["None", "somebody has to remain who administers the platform"]
    (left,) = [user for user in await users.list() if user.enabled and user.role == "platform_admin"]
    with pytest.raises(StorageError, match="has to remain"):
        await users.change(left.id, role="auditor")
    await users.change(left.id, enabled=True)
    await users.change(next(admin.id for admin in admins if admin.id != left.id), enabled=True)
    await users.change(left.id, enabled=False)
