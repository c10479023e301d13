"""Tenants and what is made with each."""

from __future__ import annotations

import pytest

from detectors.errors import StorageError
from storage.postgres import Database
from storage.tenants.tenancy import Tenancy
from storage.tenants.tenants import TenantStore
from storage.types import Tenant
from tests.storage.conftest import RunStatement

pytestmark = pytest.mark.slow  # a database of their own


async def test_a_tenant_is_found_and_listed_by_slug(database: Database) -> None:
    store = TenantStore(database)
    zebra, acme = await store.create("zebra", "Zebra Ltd"), await store.create("acme")
    assert await store.find("zebra") == zebra == Tenant(zebra.id, "zebra", "Zebra Ltd")
    listed = await store.list()
    assert listed.index(acme) < listed.index(zebra)
    assert await store.find("nobody") is None


async def test_a_tenant_has_an_app_a_role_and_a_schema(tenant: Tenant, as_superuser: RunStatement) -> None:
    role = f"tenant_{tenant.id}"
    apps = await as_superuser("SELECT name FROM public.apps WHERE tenant_id = $1", tenant.id)
    assert apps == [("default",)]
    logins = await as_superuser("SELECT rolcanlogin, rolsuper, rolpassword FROM pg_authid WHERE rolname = $1", role)
    assert logins == [(True, False, None)]
    views = await as_superuser("SELECT viewname FROM pg_views WHERE schemaname = $1 ORDER BY 1", role)
    assert views == [("api_keys",), ("apps",), ("decisions",), ("rollups",)]


async def test_a_taken_slug_is_refused_and_leaves_nothing(database: Database, as_superuser: RunStatement) -> None:
    store = TenantStore(database)
    await store.create("taken")
    before = await store.list()
    with pytest.raises(StorageError, match='tenant "taken" exists already'):
        await store.create("taken")
    assert await store.list() == before


@pytest.mark.parametrize("slug", ["", "a", "Acme", "1st", "a b", "acme\n", "../x", "a" * 40, "ümlaut"])
async def test_a_malformed_slug_is_refused(database: Database, slug: str) -> None:
    with pytest.raises(StorageError, match="slug is 2 to 39"):
        await TenantStore(database).create(slug)


@pytest.mark.parametrize("slug", ["platform", "default", "other"])
async def test_a_reserved_slug_is_refused(database: Database, slug: str) -> None:
    with pytest.raises(StorageError, match="reserved"):
        await TenantStore(database).create(slug)


async def test_an_id_whose_role_another_database_holds_is_skipped(
    database: Database, tenant: Tenant, as_superuser: RunStatement
) -> None:
    next_id = tenant.id + 1
    await as_superuser(f"CREATE ROLE tenant_{next_id}")
    try:
        assert (await TenantStore(database).create("skipping")).id > next_id
    finally:
        await as_superuser(f"DROP ROLE tenant_{next_id}")


async def test_a_deleted_tenant_is_not_found(database: Database, tenant: Tenant, as_superuser: RunStatement) -> None:
    await as_superuser("UPDATE public.tenants SET deleted_at = now() WHERE id = $1", tenant.id)
    assert await TenantStore(database).find(tenant.slug) is None


async def test_a_deleted_tenant_is_kept_and_not_listed(database: Database, tenant: Tenant) -> None:
    await Tenancy(database).delete(tenant.id)
    store = TenantStore(database)
    assert tenant not in await store.list()
    assert tenant.id in {one.id for one in await store.kept()}
