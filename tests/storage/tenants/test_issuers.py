"""Whose tokens a tenant takes: kept apart by tenant, told to the data planes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from detectors.errors import StorageError
from storage.postgres import Database
from storage.revisions import read_revisions
from storage.tenants.issuers import NewIssuer, TenantIssuers
from storage.tenants.tenancy import Tenancy
from storage.types import Tenant

pytestmark = pytest.mark.slow  # a database of their own
URL = "https://id.acme.example"
NEW = NewIssuer(
    URL,
    "llm",
    jwks_url=f"{URL}/jwks",
    claims={"scope": "chat"},
    tenant_claim="org",
    app_claim="app",
    role_claim="roles",
)


@pytest.fixture
def issuers(database: Database) -> TenantIssuers:
    return TenantIssuers(database)


async def test_an_issuer_is_found_by_its_name_with_what_the_tenant_says_of_it(
    issuers: TenantIssuers, tenant: Tenant
) -> None:
    kept = await issuers.create(tenant.id, NEW)
    (found,) = [one for one in await issuers.find(URL) if one.tenant_id == tenant.id]
    assert (found.id, found.tenant, found.claims) == (kept.id, tenant.slug, {"scope": "chat"})
    assert (found.tenant_claim, found.app_claim, found.role_claim) == ("org", "app", "roles")
    assert await issuers.list(tenant.id) == (kept,)
    assert await issuers.find("https://nobody.example") == ()


async def test_a_tenant_sees_and_removes_its_own_alone(
    issuers: TenantIssuers, tenant: Tenant, neighbour: Tenant
) -> None:
    kept = await issuers.create(tenant.id, NEW)
    assert await issuers.list(neighbour.id) == ()
    assert not await issuers.remove(neighbour.id, kept.id)
    assert await issuers.remove(tenant.id, kept.id)
    assert await issuers.list(tenant.id) == ()


async def test_a_change_is_told_to_every_data_plane(issuers: TenantIssuers, database: Database, tenant: Tenant) -> None:
    before = (await read_revisions(database)).identities
    kept = await issuers.create(tenant.id, NEW)
    made = (await read_revisions(database)).identities
    await issuers.remove(tenant.id, kept.id)
    assert before < made < (await read_revisions(database)).identities


async def test_issuers_of_a_tenant_that_is_suspended_are_not_found(
    issuers: TenantIssuers, database: Database, tenant: Tenant
) -> None:
    await issuers.create(tenant.id, NEW)
    await Tenancy(database).suspend(tenant.id)
    assert [one for one in await issuers.find(URL) if one.tenant_id == tenant.id] == []


async def test_one_issuer_and_audience_stands_once(issuers: TenantIssuers, tenant: Tenant) -> None:
    await issuers.create(tenant.id, NEW)
    with pytest.raises(StorageError, match="already"):
        await issuers.create(tenant.id, NEW)
    await issuers.create(tenant.id, replace(NEW, audience="other"))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"issuer": "promptshield:1234"}, "control plane's own"),
        ({"audience": "promptshield-control"}, "control plane's own"),
        ({"jwks_url": None}, "either"),
        ({"jwks": {"keys": []}}, "either"),
        ({"jwks_url": "http://id.acme.example/jwks"}, "https"),
        ({"jwks_url": "file:///etc/passwd"}, "https"),
        ({"jwks_url": "https:///jwks"}, "https"),
        ({"jwks_url": None, "jwks": {}}, "key set"),
        ({"jwks_url": None, "jwks": {"keys": []}}, "key set"),
        ({"jwks_url": None, "jwks": {"keys": [{"kty": "oct", "k": "AAAA"}]}}, "public"),
        ({"jwks_url": None, "jwks": {"keys": [{"kty": "RSA", "n": "x", "e": "AQAB", "d": "x"}]}}, "private"),
    ],
)
async def test_what_could_not_be_believed_is_refused(
    issuers: TenantIssuers, tenant: Tenant, changes: dict[str, Any], problem: str
) -> None:
    with pytest.raises(StorageError, match=problem):
        await issuers.create(tenant.id, replace(NEW, **changes))
