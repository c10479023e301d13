"""What a purge leaves beside the database: nothing in Redis, no head, and policies set aside."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from proxy.control.purging import RETIRED, Purging
from proxy.settings import Settings
from storage.embedded import EngineUrls
from storage.postgres import Database
from storage.redis_client import RedisClient
from storage.tenants.tenancy import Tenancy
from storage.types import Tenant
from tests.storage.chained import ChainedLog
from tests.storage.conftest import MakeRecord, RunStatement

OVER = "UPDATE public.tenants SET deleted_at = now() - interval '9 days', purge_after = now() WHERE id = $1"


async def test_keys_in_redis_go_and_policies_are_set_aside(
    engines: EngineUrls,
    database: Database,
    tenant: Tenant,
    neighbour: Tenant,
    make_record: MakeRecord,
    as_superuser: RunStatement,
    settings: Settings,
    tmp_path: Path,
) -> None:
    redis = RedisClient.connect(engines.redis_url, timeout=2)
    log = ChainedLog(database, tmp_path / "checkpoints", tenant, make_record)
    own = [f"tenant:{{{tenant.id}}}:{n}" for n in range(1200)]
    others = f"tenant:{{{neighbour.id}}}:1"
    await redis.set_many(dict.fromkeys([*own, others], b"x"), 60)
    folder = settings.policies_folder
    long_ago = time.time() - 60
    for name in (f"{tenant.slug}.yaml", f"{tenant.slug}/bot.yaml", f"{neighbour.slug}.yaml"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("extends: preset/standard\n")
        os.utime(folder / name, (long_ago, long_ago))
    os.utime(folder / tenant.slug, (long_ago, long_ago))
    heads = [settings.heads_folder / str(one.id) / "1.npz" for one in (tenant, neighbour)]
    for head in heads:
        head.parent.mkdir(parents=True)
        head.touch()
    signatures = settings.data / "signatures"
    for slug in (tenant.slug, neighbour.slug):
        (signatures / slug).mkdir(parents=True)
        (signatures / slug / "own.yaml").write_text("signatures: []\n")
        (settings.data / "last-good-signatures" / slug).mkdir(parents=True)
        os.utime(signatures / slug, (long_ago, long_ago))
    await Tenancy(database).delete(tenant.id)
    await as_superuser(OVER, tenant.id)

    await Purging(settings, database, redis, log.retirement).run_once()

    assert [value for value in await redis.get_many(own) if value is not None] == []
    assert await redis.get_many([others]) == [b"x"]
    assert [head.exists() for head in heads] == [False, True]
    place = folder / RETIRED / f"{tenant.slug}-{tenant.id}"
    for left in (signatures, settings.data / "last-good-signatures"):
        assert [file.name for file in left.iterdir()] == [neighbour.slug]
    assert {file.relative_to(place).as_posix() for file in place.rglob("*.yaml")} == {
        "signatures/own.yaml",
        f"{tenant.slug}.yaml",
        f"{tenant.slug}/bot.yaml",
    }
    assert [file.name for file in folder.glob("*.yaml")] == [f"{neighbour.slug}.yaml"]
    await redis.close()


async def test_a_file_for_whoever_gets_the_slug_next_stays(
    engines: EngineUrls,
    database: Database,
    tenant: Tenant,
    make_record: MakeRecord,
    as_superuser: RunStatement,
    settings: Settings,
    tmp_path: Path,
) -> None:
    redis = RedisClient.connect(engines.redis_url, timeout=2)
    log = ChainedLog(database, tmp_path / "checkpoints", tenant, make_record)
    await Tenancy(database).delete(tenant.id)
    await as_superuser(OVER, tenant.id)
    purging = Purging(settings, database, redis, log.retirement)
    await purging.run_once()
    file = settings.policies_folder / f"{tenant.slug}.yaml"
    file.write_text("extends: preset/standard\n")
    await purging.run_once()
    assert file.exists()
    await redis.close()


pytestmark = pytest.mark.usefixtures("migrated")
