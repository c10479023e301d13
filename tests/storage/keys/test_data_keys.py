"""Data keys in a worker: made on demand, remembered for a while, forgotten within a second of being destroyed."""

from __future__ import annotations

import asyncio

import pytest

from detectors.errors import DatabaseUnavailableError, StorageError, UnavailableError
from storage.keys.custody import KeyCustody
from storage.keys.data_keys import KNOWN, LIFETIME, PAUSE, DataKeys
from storage.keys.encryption import KeyRing, SuppliedKeys
from storage.postgres import Database
from storage.types import Role, Tenant
from tests.storage.conftest import DatabaseUrls, RunStatement
from tests.storage.stored import STRONG

pytestmark = pytest.mark.slow
OTHER = "fedcba9876543210" * 2


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class CountedKeys(SuppliedKeys):
    """A source that counts how often it is asked."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.asked = 0

    async def load(self) -> KeyRing:
        self.asked += 1
        return await super().load()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(database: Database, clock: Clock) -> DataKeys:
    return DataKeys(database, SuppliedKeys(STRONG), clock=clock)


async def test_a_tenants_first_key_is_made_on_demand_and_kept_wrapped(
    keys: DataKeys, tenant: Tenant, as_superuser: RunStatement
) -> None:
    key = await keys.live(tenant.id)
    ((generation, wrapped),) = await as_superuser(
        "SELECT generation, wrapped FROM private.data_keys WHERE tenant_id = $1", tenant.id
    )
    assert (key.generation, generation, len(key.key)) == (1, 1, 32)
    assert key.key not in wrapped


async def test_every_process_finds_the_same_key(database: Database, tenant: Tenant) -> None:
    processes = [DataKeys(database, SuppliedKeys(STRONG)) for _ in range(4)]
    found = await asyncio.gather(*(keys.live(tenant.id) for keys in processes))
    assert len({key.key for key in found}) == 1


async def test_every_tenant_has_a_key_of_its_own(keys: DataKeys, tenant: Tenant, neighbour: Tenant) -> None:
    assert (await keys.live(tenant.id)).key != (await keys.live(neighbour.id)).key


async def test_a_known_key_is_had_without_the_database(migrated: DatabaseUrls, tenant: Tenant, clock: Clock) -> None:
    database = await Database.connect(migrated.url, size=1)
    keys = DataKeys(database, SuppliedKeys(STRONG), clock=clock)
    key = await keys.live(tenant.id)
    await database.close()
    await keys.check()  # finds nobody to ask
    clock.now += LIFETIME
    assert await keys.live(tenant.id) == key
    clock.now += 1
    with pytest.raises(UnavailableError):
        await keys.live(tenant.id)


async def test_after_a_failure_nobody_is_asked_for_a_while(database: Database, tenant: Tenant, clock: Clock) -> None:
    await DataKeys(database, SuppliedKeys(OTHER)).live(tenant.id)
    source = CountedKeys(STRONG)  # not the key that wraps
    keys = DataKeys(database, source, clock=clock)
    for pause, asked in ((0, 2), (PAUSE - 1, 2), (2, 3)):
        clock.now += pause
        with pytest.raises(UnavailableError):
            await keys.live(tenant.id)
        assert source.asked == asked


async def test_a_shredded_key_is_forgotten_by_the_next_check(
    database: Database, keys: DataKeys, tenant: Tenant
) -> None:
    key = await keys.live(tenant.id)
    await KeyCustody(database, "test").shred(tenant)
    await keys.check()
    assert (await keys.live(tenant.id)).generation == 2
    with pytest.raises(StorageError, match="lost") as caught:
        await keys.find(tenant.id, 1)
    assert not isinstance(caught.value, UnavailableError)
    assert key.key.hex() not in str(caught.value)


async def test_after_a_rotation_the_old_key_still_reads(database: Database, keys: DataKeys, tenant: Tenant) -> None:
    old = await keys.live(tenant.id)
    await KeyCustody(database, "test").rotate(tenant, SuppliedKeys(STRONG))
    await keys.check()
    assert (await keys.live(tenant.id)).generation == 2
    assert await keys.find(tenant.id, 1) == old


async def test_a_new_key_encryption_key_is_fetched_when_it_is_met(
    database: Database, tenant: Tenant, clock: Clock
) -> None:
    source = CountedKeys(STRONG)
    keys = DataKeys(database, source, clock=clock)
    before = await keys.live(tenant.id)
    ring = KeyRing.from_text(f"{OTHER} {STRONG}")
    await KeyCustody(database, "test").rewrap(ring)
    source._text = f"{OTHER} {STRONG}"
    clock.now += LIFETIME + 1
    assert await keys.live(tenant.id) == before


async def test_a_key_moved_to_another_tenants_row_is_refused(
    keys: DataKeys, tenant: Tenant, neighbour: Tenant, as_superuser: RunStatement
) -> None:
    await keys.live(tenant.id)
    await as_superuser(
        "INSERT INTO private.data_keys (tenant_id, generation, wrapped, kek)"
        " SELECT $2, generation, wrapped, kek FROM private.data_keys WHERE tenant_id = $1",
        *(tenant.id, neighbour.id),
    )
    with pytest.raises(StorageError, match="not what was wrapped"):
        await keys.live(neighbour.id)


async def test_a_process_that_stores_no_bodies_asks_nobody(migrated: DatabaseUrls) -> None:
    database = await Database.connect(migrated.url, size=1)
    await database.close()
    keys = DataKeys(database, SuppliedKeys(STRONG))
    await keys.check()
    assert keys._revision is None


async def test_a_burst_asks_once(database: Database, tenant: Tenant) -> None:
    source = CountedKeys(STRONG)
    keys = DataKeys(database, source)
    await asyncio.gather(*(keys.live(tenant.id) for _ in range(20)))
    assert source.asked == 1


async def test_memory_is_bounded(keys: DataKeys, tenant: Tenant) -> None:
    key = await keys.live(tenant.id)
    keys._known |= {(-n, None): key for n in range(KNOWN)}
    await keys.find(tenant.id, 1)
    assert len(keys._known) <= KNOWN + 1


SELECT = "SELECT wrapped FROM private.data_keys"


@pytest.mark.parametrize("role", [Role.READER, Role.SHIP])
async def test_only_ps_app_reads_wrapped_keys(database: Database, tenant: Tenant, role: Role) -> None:
    with pytest.raises(DatabaseUnavailableError, match="permission denied"):
        async with database.transaction(role, tenant.id) as connection:
            await connection.fetch(SELECT)


async def test_ps_app_sees_the_keys_of_its_tenant_only(
    database: Database, keys: DataKeys, tenant: Tenant, neighbour: Tenant
) -> None:
    await keys.live(neighbour.id)
    async with database.transaction(Role.APP, tenant.id) as connection:
        assert await connection.fetch(SELECT) == []


async def test_one_tenants_broken_key_leaves_the_others_alone(
    keys: DataKeys, tenant: Tenant, neighbour: Tenant, as_superuser: RunStatement
) -> None:
    await as_superuser(
        "INSERT INTO private.data_keys (tenant_id, generation, wrapped, kek) VALUES ($1, 1, 'broken', $2)",
        *(tenant.id, KeyRing.from_text(STRONG).current.id),
    )
    for problem in ("not what was wrapped", "a moment ago"):
        with pytest.raises(StorageError, match=problem):
            await keys.live(tenant.id)
    assert (await keys.live(neighbour.id)).generation == 1


async def test_a_tenant_whose_key_encryption_key_is_gone_costs_no_other_tenant(
    database: Database, tenant: Tenant, neighbour: Tenant, clock: Clock
) -> None:
    await DataKeys(database, SuppliedKeys(OTHER)).live(tenant.id)
    keys = DataKeys(database, SuppliedKeys(STRONG), clock=clock)
    for _ in range(2):
        with pytest.raises(UnavailableError):
            await keys.live(tenant.id)
        assert (await keys.live(neighbour.id)).generation == 1


async def test_an_old_generation_that_nobody_can_read_costs_the_live_one_nothing(
    database: Database, tenant: Tenant, clock: Clock, as_superuser: RunStatement
) -> None:
    await DataKeys(database, SuppliedKeys(OTHER)).live(tenant.id)
    await KeyCustody(database, "test").rotate(tenant, SuppliedKeys(STRONG))
    keys = DataKeys(database, SuppliedKeys(STRONG), clock=clock)
    with pytest.raises(UnavailableError, match="is not here"):
        await keys.find(tenant.id, 1)
    assert (await keys.live(tenant.id)).generation == 2
