"""Upkeep of the decision log against a real database: checkpoints signed and published, retention as policies ask."""

from __future__ import annotations

import secrets
from pathlib import Path

import orjson
import pytest

from detectors.errors import PolicyError
from proxy.app import Detection, policy_store
from proxy.control.upkeep import Upkeep
from proxy.settings import Settings
from storage.chains.chain import RememberedHeads
from storage.decisions.writer import PostgresSink
from storage.keys.house_keys import open_house_keys
from storage.postgres import Database
from storage.tenants.tenancy import Tenancy
from storage.types import Role, Tenant
from tests.storage.conftest import MakeRecord

pytestmark = pytest.mark.slow


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(data=tmp_path / "data")
    settings.policies_folder.mkdir(parents=True)
    (settings.policies_folder / "default.yaml").write_text("extends: preset/standard\n")
    return settings


@pytest.fixture
def instance() -> str:
    """Of its own for each test, as each has a signing key of its own."""
    return f"upkeep-{secrets.token_hex(4)}"


@pytest.fixture
async def heads() -> RememberedHeads:
    return RememberedHeads()


@pytest.fixture
async def upkeep(
    settings: Settings, detection: Detection, database: Database, heads: RememberedHeads, instance: str
) -> Upkeep:
    house_keys = open_house_keys(settings.keys_folder)
    return Upkeep(settings, house_keys, database, heads, policy_store(settings, detection), instance)


async def test_the_end_of_a_process_signs_what_was_shipped(
    upkeep: Upkeep,
    settings: Settings,
    database: Database,
    heads: RememberedHeads,
    tenant: Tenant,
    instance: str,
    make_record: MakeRecord,
) -> None:
    record = make_record(tenant.id, instance=instance)
    await PostgresSink(database, heads).write([record])
    await upkeep.finish(patience=10)
    published = (settings.checkpoints_folder / f"{instance}.jsonl").read_bytes().splitlines()
    assert upkeep.counts.checkpoints == 1
    assert str(record.tenant_id) in str(orjson.loads(published[-1]))


async def test_what_policies_ask_for_is_announced_and_carried_out(
    upkeep: Upkeep, settings: Settings, database: Database, tenant: Tenant
) -> None:
    (settings.policies_folder / "default.yaml").write_text("extends: preset/standard\naudit: {retain: 400d}\n")
    assert await upkeep.expire()
    async with database.transaction(Role.READER) as connection:
        days = await connection.fetchval("SELECT days FROM private.retention WHERE tenant_id = $1", tenant.id)
    assert days == 400


async def test_a_deleted_tenants_decisions_stay_as_long_as_they_would_if_it_were_restored(
    upkeep: Upkeep, settings: Settings, database: Database, tenant: Tenant
) -> None:
    (settings.policies_folder / f"{tenant.slug}.yaml").write_text("extends: preset/standard\naudit: {retain: 400d}\n")
    assert await upkeep.expire()
    await Tenancy(database).delete(tenant.id)
    assert await upkeep.expire()
    async with database.transaction(Role.READER) as connection:
        kept = await connection.fetchrow(
            "SELECT days, next_days FROM private.retention WHERE tenant_id = $1", tenant.id
        )
    assert kept is not None
    assert (kept["days"], kept["next_days"]) == (400, None)


async def test_nothing_expires_while_a_policy_cannot_be_known(upkeep: Upkeep, settings: Settings) -> None:
    (settings.policies_folder / "acme.yaml").write_text("extnds: preset/standard\n")
    with pytest.raises(PolicyError):
        await upkeep.expire()
