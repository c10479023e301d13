"""The counters that tell every instance to look again."""

from __future__ import annotations

from storage.postgres import Database
from storage.revisions import Revisions, bump_policies, read_revisions
from storage.tenants.api_keys import ApiKeyStore
from storage.tenants.tenants import TenantStore
from storage.types import Tenant
from tests.storage.conftest import RunStatement


async def test_every_change_of_a_tenant_or_a_key_is_told(database: Database) -> None:
    store, seen = ApiKeyStore(database, b"pepper"), [await read_revisions(database)]
    tenant = await TenantStore(database).create("told")
    seen.append(await read_revisions(database))
    key_id, _ = await store.create(tenant.slug)
    seen.append(await read_revisions(database))
    await store.revoke(key_id)
    seen.append(await read_revisions(database))
    identities = [revisions.identities for revisions in seen]
    assert identities == sorted(set(identities))
    assert len({revisions.policies for revisions in seen}) == 1


async def test_the_use_of_a_key_is_not(database: Database, tenant: Tenant, as_superuser: RunStatement) -> None:
    key_id, _ = await ApiKeyStore(database, b"pepper").create(tenant.slug)
    before = await read_revisions(database)
    await as_superuser("UPDATE public.api_keys SET last_used_at = now() WHERE id = $1", key_id)
    assert await read_revisions(database) == before


async def test_policies_have_their_own_counter(database: Database) -> None:
    before = await read_revisions(database)
    assert await bump_policies(database) == before.policies + 1
    assert await read_revisions(database) == Revisions(before.identities, before.policies + 1)
