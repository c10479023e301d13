"""The end of a tenant: nothing of it stays but a note that it was there, and the log verifies."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from detectors.errors import StorageError
from storage.accounts.service_accounts import ServiceAccounts
from storage.accounts.users import NewUser, UserStore
from storage.chains.verify import Scope
from storage.incidents import IncidentStore, Sign
from storage.keys.data_keys import DataKeys
from storage.keys.encryption import key_ring_source
from storage.keys.house_keys import open_house_keys
from storage.policy_versions import PolicyVersions
from storage.postgres import Database
from storage.tenants.api_keys import ApiKeyStore
from storage.tenants.issuers import NewIssuer, TenantIssuers
from storage.tenants.purge import Purge
from storage.tenants.tenancy import Tenancy
from storage.types import Role, Tenant
from tests.storage.chained import ChainedLog
from tests.storage.conftest import DatabaseUrls, MakeRecord, RunStatement

OVER = "UPDATE public.tenants SET deleted_at = now() - interval '9 days', purge_after = now() WHERE id = $1"


@pytest.fixture
async def log(database: Database, tenant: Tenant, make_record: MakeRecord, tmp_path: Path) -> ChainedLog:
    return ChainedLog(database, tmp_path / "checkpoints", tenant, make_record)


async def filled(log: ChainedLog, tenant: Tenant, folder: Path) -> None:
    database = log.database
    await log.write(5, subjects=("ab" * 16,))
    await log.checkpointer.checkpoint()
    await log.write(2)
    await ApiKeyStore(database, b"pepper").create(tenant.slug, "bot")
    open_house_keys(folder)
    await DataKeys(database, key_ring_source(folder)).live(tenant.id)
    await PolicyVersions(database).save(tenant.slug, "extends: preset/standard\n", "r", "ada", "because")
    await UserStore(database).create(NewUser(f"anna-{tenant.id}", "analyst", tenant.id, "x", must_change=False))
    await ServiceAccounts(database, b"k" * 32).create("robot", "analyst", tenant.id)
    await TenantIssuers(database).create(tenant.id, NewIssuer("https://i.example", "a", "https://i.example/keys"))
    await IncidentStore(database).open(Sign(tenant.id, "manual", "", "odd", "low"), "ada")


async def test_nothing_of_a_purged_tenant_stays_and_the_log_verifies(
    log: ChainedLog, tenant: Tenant, neighbour: Tenant, as_superuser: RunStatement, tmp_path: Path
) -> None:
    await filled(log, tenant, tmp_path / "keys")
    other = ChainedLog(log.database, tmp_path / "checkpoints", neighbour, log.make_record)
    await other.write(3)
    await Tenancy(log.database).delete(tenant.id)
    await as_superuser(OVER, tenant.id)
    purge = Purge(log.database, log.retirement)
    assert [one.id for one in await purge.due()] == [tenant.id]

    counts = await purge.run(tenant)

    assert (counts["decisions"], counts["api_keys"], counts["policy_versions"], counts["incidents"]) == (7, 1, 1, 1)
    assert await purge.due() == ()
    tables = await as_superuser(
        "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid"
        " JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE a.attname = 'tenant_id' AND c.relkind = 'r'"
        " AND n.nspname IN ('public', 'private') AND c.relname NOT IN ('deleted_records', 'admin_audit')"
    )
    assert len(tables) > 15
    for (table,) in tables:
        left = f"SELECT count(*) FROM {table} WHERE tenant_id = $1"  # noqa: S608 - names of the catalogue
        assert await as_superuser(left, tenant.id) == [(0,)], table
    for catalogue, column in (("pg_roles", "rolname"), ("pg_namespace", "nspname")):
        left = f"SELECT count(*) FROM {catalogue} WHERE {column} = $1"  # noqa: S608 - likewise
        assert await as_superuser(left, f"tenant_{tenant.id}") == [(0,)]
    assert await as_superuser("SELECT slug, reason FROM private.deleted_records WHERE tenant_id = $1", tenant.id) == [
        (tenant.slug, "purge")
    ]
    assert [one.slug for one in await purge.gone() if one.tenant_id == tenant.id] == [tenant.slug]
    assert await log.found(Scope()) == []
    assert await other.found() == []
    assert (await as_superuser("SELECT count(*) FROM public.decisions WHERE tenant_id = $1", neighbour.id)) == [(3,)]


async def test_a_tenant_that_is_not_due_keeps_everything(
    log: ChainedLog, tenant: Tenant, as_superuser: RunStatement
) -> None:
    await log.write(2)
    purge = Purge(log.database, log.retirement)
    for prepare in (None, "deleted"):
        if prepare is not None:
            await Tenancy(log.database).delete(tenant.id)
        with pytest.raises(StorageError, match="is not to be purged"):
            async with log.database.transaction(Role.SHIP) as connection:
                await connection.fetchval("SELECT private.purge_day($1, current_date, now())", tenant.id)
        with pytest.raises(StorageError, match="is not to be purged"):
            async with log.database.transaction(Role.SHIP) as connection:
                await connection.fetchval("SELECT private.purge_tenant($1, 0, '[]', 'x')", tenant.id)
    assert await purge.due() == ()
    assert await as_superuser("SELECT count(*) FROM public.decisions WHERE tenant_id = $1", tenant.id) == [(2,)]


async def test_nobody_ends_a_tenant_by_an_update(database: Database, tenant: Tenant) -> None:
    for column in ("deleted_at", "suspended_at", "purge_after"):
        ending = f"UPDATE public.tenants SET {column} = now() WHERE id = $1"  # noqa: S608 - columns of ours
        with pytest.raises(StorageError):
            async with database.transaction(Role.APP, tenant.id) as connection:
                await connection.execute(ending, tenant.id)


async def test_what_was_locked_is_shredded_even_if_the_rest_fails(
    log: ChainedLog, tenant: Tenant, as_superuser: RunStatement, tmp_path: Path
) -> None:
    await filled(log, tenant, tmp_path / "keys")
    await Tenancy(log.database).delete(tenant.id)
    await as_superuser(OVER, tenant.id)
    await as_superuser("UPDATE public.decisions SET model = 'forged' WHERE tenant_id = $1", tenant.id)
    with pytest.raises(StorageError, match="not removed"):
        await Purge(log.database, log.retirement).run(tenant)
    wrapped = await as_superuser("SELECT wrapped FROM private.data_keys WHERE tenant_id = $1", tenant.id)
    assert wrapped == [(None,)]


async def test_a_purged_tenants_late_decision_is_a_dead_letter_and_nobodys_row(
    log: ChainedLog, tenant: Tenant, as_superuser: RunStatement
) -> None:
    await Tenancy(log.database).delete(tenant.id)
    await as_superuser(OVER, tenant.id)
    late = log.record()
    await Purge(log.database, log.retirement).run(tenant)
    with pytest.raises(StorageError):
        await log.sink.write([late])
    assert await as_superuser("SELECT count(*) FROM public.decisions WHERE tenant_id = $1", tenant.id) == [(0,)]
    async with log.database.transaction(Role.SHIP) as connection:
        await connection.execute(
            "INSERT INTO private.dead_letters (tenant_id, reason, record) VALUES ($1, 'x', '{}')", tenant.id
        )
    await Purge(log.database, log.retirement).gone()
    assert await as_superuser("SELECT count(*) FROM private.dead_letters WHERE tenant_id = $1", tenant.id) == [(0,)]


async def test_a_deleted_tenants_role_logs_in_no_more_and_a_restored_ones_does(
    database: Database, tenant: Tenant, as_superuser: RunStatement, migrated: DatabaseUrls
) -> None:
    role = f"tenant_{tenant.id}"
    await as_superuser(f"ALTER ROLE {role} PASSWORD 'secret'")
    url = migrated.log_in_as(role, "secret")
    await _log_in(url)
    await Tenancy(database).delete(tenant.id)
    with pytest.raises(StorageError):
        await _log_in(url)
    await Tenancy(database).restore(tenant.id)
    await _log_in(url)


async def test_of_two_that_purge_at_once_one_does(log: ChainedLog, tenant: Tenant, as_superuser: RunStatement) -> None:
    await log.write(2)
    await Tenancy(log.database).delete(tenant.id)
    await as_superuser(OVER, tenant.id)
    done = await asyncio.gather(
        *(Purge(log.database, log.retirement).run(tenant) for _ in range(2)), return_exceptions=True
    )
    assert sum(isinstance(one, dict) for one in done) == 1
    assert all(isinstance(one, dict | StorageError) for one in done)


async def _log_in(url: str) -> None:
    database = await Database.connect(url, size=1)
    await database.close()
