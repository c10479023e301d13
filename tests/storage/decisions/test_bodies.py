"""Bodies: stored with their decision, readable with the tenant's key alone, and by nobody without a trace."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from detectors.errors import DatabaseUnavailableError, StorageError
from storage.decisions.bodies import Body, read_bodies, read_bodies_of_tenant
from storage.keys.custody import KeyCustody
from storage.keys.data_keys import DataKeys
from storage.keys.encryption import SuppliedKeys
from storage.postgres import Database
from storage.types import Role, Tenant
from tests.storage.conftest import MakeRecord, RunStatement
from tests.storage.stored import STRONG, ship, tomorrow, with_body

pytestmark = pytest.mark.slow


@pytest.fixture
def keys(database: Database) -> DataKeys:
    return DataKeys(database, SuppliedKeys(STRONG))


async def test_a_body_is_read_back_whole(
    database: Database, keys: DataKeys, tenant: Tenant, make_record: MakeRecord
) -> None:
    record = make_record(tenant.id)
    await ship(database, with_body(record, await keys.live(tenant.id), "héllo"))
    bodies = await read_bodies(database, keys, record.id, actor="test")
    assert bodies == (Body(record.id, "request", "encrypted", False, "héllo"),)


async def test_every_reading_is_noted_with_its_reader(
    database: Database, keys: DataKeys, tenant: Tenant, make_record: MakeRecord, as_superuser: RunStatement
) -> None:
    record = make_record(tenant.id)
    await ship(database, record)
    assert await read_bodies(database, keys, record.id, actor="anna") == ()
    notes = await as_superuser("SELECT actor, action, target FROM private.admin_audit WHERE tenant_id = $1", tenant.id)
    assert notes == [("anna", "bodies.read", record.id)]


async def test_another_tenants_body_is_not_found(
    database: Database, keys: DataKeys, tenant: Tenant, neighbour: Tenant, make_record: MakeRecord
) -> None:
    record = make_record(neighbour.id)
    await ship(database, with_body(record, await keys.live(neighbour.id), "theirs"))
    assert await read_bodies_of_tenant(database, keys, tenant.id, [record.id], actor="test", reason="x") == ()


async def test_a_ciphertext_moved_to_another_row_does_not_open(
    database: Database, keys: DataKeys, tenant: Tenant, make_record: MakeRecord
) -> None:
    record, other = make_record(tenant.id), make_record(tenant.id)
    moved = with_body(record, await keys.live(tenant.id), "moved").bodies
    await ship(database, replace(other, bodies=moved))
    (body,) = await read_bodies(database, keys, other.id, actor="test")
    assert body.text is None
    assert "not what was stored" in body.problem


async def test_shredded_bodies_are_unreadable_for_good(
    database: Database, keys: DataKeys, tenant: Tenant, make_record: MakeRecord
) -> None:
    record = make_record(tenant.id)
    await ship(database, with_body(record, await keys.live(tenant.id), "gone"))
    await KeyCustody(database, "test").shred(tenant)
    await keys.check()
    (body,) = await read_bodies(database, keys, record.id, actor="test")
    assert (body.text, "lost" in body.problem) == (None, True)


async def test_an_expired_body_is_not_read_even_before_it_is_dropped(
    database: Database, keys: DataKeys, tenant: Tenant, make_record: MakeRecord
) -> None:
    record = make_record(tenant.id)
    await ship(database, with_body(record, await keys.live(tenant.id), "old", until=tomorrow(-1)))
    assert await read_bodies(database, keys, record.id, actor="test") == ()


@pytest.mark.parametrize("role", Role)
async def test_no_role_reads_the_table_itself(database: Database, tenant: Tenant, role: Role) -> None:
    with pytest.raises(DatabaseUnavailableError, match="permission denied"):
        async with database.transaction(role, tenant.id) as connection:
            await connection.fetch("SELECT * FROM public.bodies")


@pytest.mark.parametrize("role", [Role.READER, Role.SHIP])
async def test_only_ps_app_may_call_what_reads_bodies(database: Database, tenant: Tenant, role: Role) -> None:
    with pytest.raises(DatabaseUnavailableError, match="permission denied"):
        async with database.transaction(role, tenant.id) as connection:
            await connection.fetch("SELECT * FROM private.read_bodies('{}', 'x', 'x')")


@pytest.mark.parametrize(
    "field", [{"data": "%"}, {"until": "soon"}, {"direction": "sideways"}, {"form": "plain"}, {"key": "x"}]
)
async def test_a_body_that_is_none_blames_the_data(
    database: Database, keys: DataKeys, tenant: Tenant, make_record: MakeRecord, field: dict[str, str]
) -> None:
    record = make_record(tenant.id)
    (body,) = orjson.loads(with_body(record, await keys.live(tenant.id), "x").bodies)
    with pytest.raises(StorageError) as caught:
        await ship(database, replace(record, bodies=orjson.dumps([body | field]).decode()))
    assert not isinstance(caught.value, DatabaseUnavailableError)


async def test_an_unknown_decision_has_no_bodies_and_a_wrong_id_is_said_to_be_one(
    database: Database, keys: DataKeys
) -> None:
    assert await read_bodies(database, keys, "01890000-0000-7000-8000-000000000000", actor="test") == ()
    with pytest.raises(StorageError, match="UUID"):
        await read_bodies(database, keys, "x", actor="test")
