"""Service accounts at rest: secrets only as hashes, of which each ends."""

from __future__ import annotations

import pytest

from detectors.errors import StorageError
from storage.accounts.service_accounts import ServiceAccounts
from storage.postgres import Database
from storage.types import Tenant
from tests.storage.accounts.conftest import KEY
from tests.storage.conftest import RunStatement

pytestmark = pytest.mark.slow  # a database of their own


@pytest.fixture
def accounts(database: Database) -> ServiceAccounts:
    return ServiceAccounts(database, KEY)


async def test_an_account_opens_with_its_own_secret(
    accounts: ServiceAccounts, tenant: Tenant, as_superuser: RunStatement
) -> None:
    made = await accounts.create("exporter", "auditor", tenant.id)
    other = await accounts.create("other", "auditor", tenant.id)
    opened = await accounts.open(made.account.client_id, made.secret)
    assert opened is not None
    assert (opened.account.id, opened.secret_id, opened.account.tenant) == (
        made.account.id,
        made.secret_id,
        tenant.slug,
    )
    assert await accounts.open(made.account.client_id, other.secret) is None
    assert await accounts.open(other.account.client_id, made.secret) is None
    rows = await as_superuser("SELECT s::text FROM private.service_account_secrets AS s")
    assert all(made.secret not in row for (row,) in rows)


async def test_a_rotated_secret_ends_and_may_not_outlive_an_earlier_end(
    accounts: ServiceAccounts, tenant: Tenant, as_superuser: RunStatement
) -> None:
    made = await accounts.create("rotated", "auditor", tenant.id)
    await accounts.rotate(made.account.id, keep_seconds=60)
    await accounts.rotate(made.account.id, keep_seconds=3600)
    ends = await as_superuser(
        "SELECT ends_at < now() + interval '2 min' FROM private.service_account_secrets WHERE id = $1", made.secret_id
    )
    assert ends == [(True,)]


async def test_a_revoked_account_stays_dead(accounts: ServiceAccounts, tenant: Tenant) -> None:
    made = await accounts.create("dead", "auditor", tenant.id)
    assert await accounts.live(made.account.id, made.secret_id) is not None
    await accounts.revoke(made.account.id)
    with pytest.raises(StorageError, match="revoked already"):
        await accounts.revoke(made.account.id)
    assert await accounts.live(made.account.id, made.secret_id) is None
    with pytest.raises(StorageError, match="no such live"):
        await accounts.rotate(made.account.id)


async def test_names_are_a_tenants_own_and_taken_once(
    accounts: ServiceAccounts, tenant: Tenant, neighbour: Tenant
) -> None:
    for tenant_id, role in ((tenant.id, "auditor"), (neighbour.id, "auditor"), (None, "platform_admin")):
        await accounts.create("same-name", role, tenant_id)
        with pytest.raises(StorageError, match="already"):
            await accounts.create("same-name", role, tenant_id)
    assert "same-name" in {account.name for account in await accounts.list(tenant.id)}
    assert {account.tenant_id for account in await accounts.list(tenant.id)} == {tenant.id}


async def test_the_name_of_a_revoked_account_is_free_and_its_secret_opens_nothing(
    accounts: ServiceAccounts, tenant: Tenant
) -> None:
    for tenant_id, role in ((tenant.id, "auditor"), (None, "platform_admin")):
        old = await accounts.create("again", role, tenant_id)
        await accounts.revoke(old.account.id)
        new = await accounts.create("again", role, tenant_id)
        assert await accounts.open(old.account.client_id, old.secret) is None
        assert await accounts.open(new.account.client_id, new.secret) is not None
        with pytest.raises(StorageError, match="already"):
            await accounts.create("again", role, tenant_id)


@pytest.mark.parametrize("name", ["", "A", "a b", "-a", "a" * 64])
async def test_a_malformed_name_is_refused(accounts: ServiceAccounts, name: str) -> None:
    with pytest.raises(StorageError, match="name is up to"):
        await accounts.create(name, "auditor", None)
