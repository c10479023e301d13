"""What administrators do with data keys takes effect, leaves a trace, and cannot be undone where it must not be."""

from __future__ import annotations

import orjson
import pytest

from detectors.errors import StorageError
from storage.keys.custody import KeyCustody
from storage.keys.data_keys import DataKeys
from storage.keys.encryption import KeyRing, SuppliedKeys
from storage.postgres import Database
from storage.types import Role, Tenant
from tests.storage.conftest import RunStatement
from tests.storage.stored import STRONG

pytestmark = pytest.mark.slow
OTHER = "fedcba9876543210" * 2
BOTH = KeyRing.from_text(f"{OTHER} {STRONG}")


@pytest.fixture
def custody(database: Database) -> KeyCustody:
    return KeyCustody(database, "anna")


@pytest.fixture
def keys(database: Database) -> DataKeys:
    return DataKeys(database, SuppliedKeys(f"{OTHER} {STRONG}"))


async def notes(as_superuser: RunStatement, tenant: Tenant) -> list[tuple[str, str, object]]:
    rows = await as_superuser(
        "SELECT actor, action, details FROM private.admin_audit WHERE tenant_id = $1 ORDER BY id", tenant.id
    )
    return [(actor, action, orjson.loads(details)) for actor, action, details in rows]


async def test_a_rotation_retires_the_live_key_and_makes_the_next(
    custody: KeyCustody, keys: DataKeys, tenant: Tenant, as_superuser: RunStatement
) -> None:
    await keys.live(tenant.id)
    assert await custody.rotate(tenant, SuppliedKeys(STRONG)) == 2
    states = [state for state in await custody.list() if state.tenant == tenant.slug]
    assert [(s.generation, s.retired_at is None, s.destroyed_at) for s in states] == [(1, False, None), (2, True, None)]
    assert await notes(as_superuser, tenant) == [("anna", "data_key.rotate", {"generation": 2})]


async def test_a_tenant_without_a_key_can_be_rotated(custody: KeyCustody, tenant: Tenant) -> None:
    assert await custody.rotate(tenant, SuppliedKeys(STRONG)) == 1


async def test_shredding_leaves_nothing_of_any_generation(
    custody: KeyCustody, keys: DataKeys, tenant: Tenant, as_superuser: RunStatement
) -> None:
    await keys.live(tenant.id)
    await custody.rotate(tenant, SuppliedKeys(STRONG))
    assert await custody.shred(tenant) == 2
    assert await as_superuser("SELECT wrapped FROM private.data_keys WHERE tenant_id = $1", tenant.id) == [(None,)] * 2
    assert (await notes(as_superuser, tenant))[-1] == ("anna", "data_key.shred", {"generations": [1, 2]})
    assert await custody.shred(tenant) == 0


async def test_a_destroyed_key_stays_destroyed(
    custody: KeyCustody, keys: DataKeys, database: Database, tenant: Tenant
) -> None:
    await keys.live(tenant.id)
    await custody.shred(tenant)
    with pytest.raises(StorageError, match="stays destroyed"):
        async with database.transaction(Role.APP, tenant.id) as connection:
            await connection.execute("UPDATE private.data_keys SET wrapped = 'x', destroyed_at = NULL")


async def test_shredding_one_tenant_leaves_the_others_alone(
    custody: KeyCustody, keys: DataKeys, tenant: Tenant, neighbour: Tenant
) -> None:
    theirs = await keys.live(neighbour.id)
    await keys.live(tenant.id)
    await custody.shred(tenant)
    await keys.check()
    assert await keys.find(neighbour.id, 1) == theirs


async def test_a_new_key_encryption_key_wraps_every_data_key_anew(
    custody: KeyCustody, database: Database, tenant: Tenant, as_superuser: RunStatement
) -> None:
    key = await DataKeys(database, SuppliedKeys(STRONG)).live(tenant.id)
    assert await custody.rewrap(BOTH) >= 1
    assert await custody.rewrap(BOTH) == 0
    assert await DataKeys(database, SuppliedKeys(OTHER)).live(tenant.id) == key
    assert (await notes(as_superuser, tenant))[0][1:] == ("data_key.rewrap", {"keys": 1, "kek": BOTH.current.id})


async def test_without_the_former_key_nothing_is_wrapped_anew(
    custody: KeyCustody, database: Database, tenant: Tenant
) -> None:
    key = await DataKeys(database, SuppliedKeys(STRONG)).live(tenant.id)
    with pytest.raises(StorageError, match="is not here"):
        await custody.rewrap(KeyRing.from_text(OTHER))
    assert await DataKeys(database, SuppliedKeys(STRONG)).live(tenant.id) == key
