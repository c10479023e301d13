"""What each database role must not see or do; the known failures of row security by name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from detectors.errors import DatabaseUnavailableError, StorageError
from storage.decisions.writer import PostgresSink
from storage.postgres import Database, Session
from storage.tenants.api_keys import ApiKeyStore
from storage.types import Role, Tenant
from tests.storage.conftest import DatabaseUrls, MakeRecord, RunStatement

pytestmark = pytest.mark.slow


@pytest.fixture
async def filled(database: Database, tenant: Tenant, neighbour: Tenant, make_record: MakeRecord) -> None:
    """One decision and one key of the tenant, two of each of its neighbour."""
    owners = (tenant, neighbour, neighbour)
    await PostgresSink(database).write([make_record(owner.id) for owner in owners])
    for owner in owners:
        await ApiKeyStore(database, b"pepper").create(owner.slug)


@pytest.fixture
async def tenant_session(
    migrated: DatabaseUrls, tenant: Tenant, as_superuser: RunStatement, filled: None
) -> AsyncIterator[Session]:
    """Logged in as the tenant's own role, after an operator has set its password."""
    role = f"tenant_{tenant.id}"
    await as_superuser(f"ALTER ROLE {role} PASSWORD 'tenant-test'")
    async with Session.open(migrated.log_in_as(role, "tenant-test")) as session:
        yield session


async def test_copy_straight_into_decisions_is_refused(
    database: Database, tenant: Tenant, make_record: MakeRecord
) -> None:
    # The sink's tests show the way that works: rows of a temp table, then insert-select.
    record = make_record(tenant.id)
    with pytest.raises(DatabaseUnavailableError, match="COPY FROM not supported with row-level security"):
        async with database.transaction(Role.SHIP) as connection:
            await cast("Any", connection).copy_records_to_table(
                "decisions", schema_name="public", columns=["id"], records=[(record.id,)]
            )


async def test_a_view_with_the_owners_rights_shows_no_row(as_superuser: RunStatement, filled: None) -> None:
    await as_superuser("CREATE VIEW private.owners AS SELECT * FROM public.decisions")
    await as_superuser("ALTER VIEW private.owners OWNER TO ps_owner")
    try:
        assert await as_superuser("SELECT count(*) FROM private.owners") == [(0,)]
    finally:
        await as_superuser("DROP VIEW private.owners")


async def test_a_tenants_views_show_its_own_rows(tenant: Tenant, tenant_session: Session) -> None:
    async with tenant_session.transaction() as connection:
        rows = await connection.fetch("SELECT tenant_id FROM decisions")  # its search_path is its schema
        assert [row["tenant_id"] for row in rows] == [tenant.id]
        assert await connection.fetchval("SELECT count(*) FROM api_keys") == 1
        assert await connection.fetchval("SELECT string_agg(name, ' ') FROM apps") == "default"


async def test_a_tenant_role_that_sets_another_tenants_id_sees_nothing_of_it(
    tenant: Tenant, neighbour: Tenant, tenant_session: Session
) -> None:
    async with tenant_session.transaction() as connection:
        await connection.execute("SELECT set_config('promptshield.tenant_id', $1, true)", str(neighbour.id))
        assert await connection.fetchval("SELECT count(*) FROM decisions") == 1
        for query in ("SELECT tenant_id FROM public.decisions", "SELECT tenant_id FROM public.apps"):
            assert [row["tenant_id"] for row in await connection.fetch(query)] == [tenant.id]


@pytest.mark.parametrize(
    "statement",
    [
        "SET ROLE ps_app",
        "SET ROLE ps_reader",
        "SET ROLE ps_owner",
        "SET SESSION AUTHORIZATION ps_reader",
        "SELECT hash FROM public.api_keys",
        "SELECT * FROM public.tenants",
        "SELECT * FROM private.revisions",
        "SELECT * FROM private.decisions_default",
        "SELECT private.find_key('x')",
        "DELETE FROM decisions",
        "UPDATE decisions SET model = 'x'",
        "CREATE TEMP TABLE mine ()",
        "CREATE TABLE mine ()",
    ],
)
async def test_a_tenant_role_may_not(tenant_session: Session, statement: str) -> None:
    with pytest.raises(DatabaseUnavailableError, match="permission denied"):
        async with tenant_session.transaction() as connection:
            await connection.execute(statement)


async def test_a_tenant_role_cannot_log_in_before_it_has_a_password(migrated: DatabaseUrls, tenant: Tenant) -> None:
    with pytest.raises(DatabaseUnavailableError, match="password authentication failed"):
        async with Session.open(migrated.log_in_as(f"tenant_{tenant.id}", "guess")):
            pass


async def test_no_partition_is_granted_and_each_has_row_security_forced(
    as_superuser: RunStatement, filled: None
) -> None:
    partitions = await as_superuser(
        "SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity, c.relowner::regrole::text AS owner,"
        " (SELECT count(*) FROM aclexplode(c.relacl) AS acl WHERE acl.grantee <> c.relowner) AS grants"
        " FROM pg_inherits JOIN pg_class AS c ON c.oid = inhrelid WHERE inhparent = 'public.decisions'::regclass"
    )
    assert len(partitions) >= 4  # the default, today and two days ahead
    for name, *state in partitions:
        assert state == [True, True, "ps_owner", 0], name


async def test_every_table_that_names_a_tenant_has_row_security_forced(as_superuser: RunStatement) -> None:
    tables = await as_superuser(
        "SELECT c.oid::regclass::text AS name, c.relrowsecurity AND c.relforcerowsecurity AS forced FROM pg_class AS c"
        " JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'tenant_id'"
        " WHERE c.relkind IN ('r', 'p') AND c.relnamespace IN ('public'::regnamespace, 'private'::regnamespace)"
    )
    assert len(tables) > 6
    assert [name for name, forced in tables if not forced] == []


async def test_every_definer_function_has_a_pinned_search_path_and_no_public_grant(as_superuser: RunStatement) -> None:
    functions = await as_superuser(
        "SELECT proname, proconfig @> ARRAY['search_path=pg_catalog, pg_temp'] AS pinned,"
        " (SELECT count(*) FROM aclexplode(coalesce(proacl, acldefault('f', proowner))) WHERE grantee = 0) AS public"
        " FROM pg_proc WHERE pronamespace = 'private'::regnamespace AND prosecdef"
    )
    assert len(functions) > 5
    assert [name for name, pinned, public in functions if not pinned or public] == []


@pytest.mark.parametrize(
    "statement",
    [
        "SET ROLE ps_owner",
        "SELECT * FROM public.decisions",
        "SELECT * FROM public.tenants",
        "SELECT * FROM private.revisions",
        "SELECT private.find_key('x')",
        "CREATE TABLE public.mine ()",
        "CREATE ROLE mine",
    ],
)
async def test_the_login_without_a_role_may_not(migrated: DatabaseUrls, statement: str) -> None:
    with pytest.raises(DatabaseUnavailableError, match="permission denied"):
        async with Session.open(migrated.url) as session, session.transaction() as connection:
            await connection.execute(statement)


@pytest.mark.parametrize("role", [Role.APP, Role.SHIP])
@pytest.mark.parametrize(
    "statement",
    [
        "SET ROLE ps_owner",
        "UPDATE public.decisions SET model = 'x'",
        "DELETE FROM public.decisions",
        "TRUNCATE public.decisions",
        "SELECT * FROM private.decisions_default",
        "SELECT hash FROM public.api_keys",
        "SELECT private.create_tenant_schema(1)",
        "SELECT private.create_partition('2020-01-01')",
        "UPDATE private.revisions SET policies = 0",
        "DROP TABLE private.decisions_default",
    ],
)
async def test_no_role_of_the_login_may(database: Database, role: Role, statement: str) -> None:
    with pytest.raises(DatabaseUnavailableError, match=r"permission denied|must be owner"):
        async with database.transaction(role) as connection:
            await connection.execute(statement)


async def test_the_app_sees_its_tenants_rows_and_none_without_a_tenant(
    database: Database, tenant: Tenant, neighbour: Tenant, filled: None
) -> None:
    for seen_by, rows in ((tenant.id, 1), (neighbour.id, 2), (None, 0)):
        async with database.transaction(Role.APP, seen_by) as connection:
            assert await connection.fetchval("SELECT count(*) FROM public.decisions") == rows
            assert await connection.fetchval("SELECT count(id) FROM public.api_keys") == rows


async def test_the_app_cannot_write_for_another_tenant(database: Database, tenant: Tenant, neighbour: Tenant) -> None:
    with pytest.raises(DatabaseUnavailableError, match="row-level security"):
        async with database.transaction(Role.APP, tenant.id) as connection:
            await connection.execute("INSERT INTO public.apps (tenant_id, name) VALUES ($1, 'spy')", neighbour.id)


async def test_a_key_cannot_name_another_tenants_app(
    database: Database, tenant: Tenant, neighbour: Tenant, as_superuser: RunStatement
) -> None:
    ((app_id,),) = await as_superuser("SELECT id FROM public.apps WHERE tenant_id = $1", neighbour.id)
    with pytest.raises(StorageError, match="api_keys_tenant_id_app_id_fkey"):
        async with database.transaction(Role.APP, tenant.id) as connection:
            await connection.execute(
                "INSERT INTO public.api_keys (tenant_id, app_id, hash, prefix) VALUES ($1, $2, $3, 'x')",
                *(tenant.id, app_id, bytes(32)),
            )
