"""The control plane's tests share the databases that those of storage are made of."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from proxy.additions.additions import additions
from proxy.app import Detection, policy_store
from proxy.control.access.build import build_access
from proxy.control.access.passwords import Passwords
from proxy.control.parts import ControlParts
from proxy.control.sums import Sums
from proxy.screen import Screen
from proxy.settings import Settings
from storage.embedded import EngineUrls
from storage.keys.data_keys import DataKeys
from storage.keys.encryption import key_ring_source
from storage.keys.house_keys import open_house_keys
from storage.postgres import Database
from storage.redis_client import RedisClient
from storage.tenants.tenants import TenantStore
from storage.types import Tenant
from tests.proxy.control.house import House
from tests.proxy.control.stock import Stock, stocked
from tests.storage.conftest import (
    MakeRecord,
    as_superuser,
    database,
    empty_database,
    make_record,
    migrated,
    neighbour,
    tenant,
)

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
__all__ = ["as_superuser", "database", "empty_database", "make_record", "migrated", "neighbour", "tenant"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One data folder for one database: what is sealed in it was sealed by the keys that lie here."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def settings(data: Path, tmp_path: Path) -> Settings:
    policies = tmp_path / "policies"
    policies.mkdir()
    return Settings(data=data, policies=policies)


def parts_of(settings: Settings, database: Database, redis: RedisClient, detection: Detection) -> ControlParts:
    """Return the control plane's parts over real stores; hashes of passwords cost little."""
    keys = open_house_keys(settings.keys_folder)
    return ControlParts(
        settings=settings,
        database=database,
        redis=redis,
        house_keys=keys,
        data_keys=DataKeys(database, key_ring_source(settings.keys_folder)),
        policies=policy_store(settings, detection),
        signatures=additions(settings, detection.views).packs,
        detection=detection,
        screen=Screen(detection.chain, detection.actions),
        sums=Sums(10),
        access=replace(build_access(settings, database, keys), passwords=Passwords(CHEAP)),
    )


@pytest.fixture
async def parts(
    engines: EngineUrls, database: Database, settings: Settings, detection: Detection
) -> AsyncIterator[ControlParts]:
    redis = RedisClient.connect(engines.redis_url, timeout=2)
    yield parts_of(settings, database, redis, detection)
    await redis.close()


@pytest.fixture
async def acme(database: Database) -> Tenant:
    return await TenantStore(database).create(f"acme-{secrets.token_hex(6)}")


@pytest.fixture
async def globex(database: Database) -> Tenant:
    return await TenantStore(database).create(f"globex-{secrets.token_hex(6)}")


@pytest.fixture
def house(parts: ControlParts, acme: Tenant, globex: Tenant) -> House:
    return House(parts, acme, globex)


@pytest.fixture
async def stock(house: House, acme: Tenant, make_record: MakeRecord) -> Stock:
    """What acme has."""
    return await stocked(house, acme, make_record)


@pytest.fixture
async def others_stock(house: House, globex: Tenant, make_record: MakeRecord) -> Stock:
    """What globex has."""
    return await stocked(house, globex, make_record)
