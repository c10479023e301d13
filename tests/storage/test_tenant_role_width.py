"""A tenant's own login, as its BI tools use it, against all that is in the database: every table and view,
every function, every other schema, and what Postgres tells by the way.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import pytest

from detectors.errors import DatabaseUnavailableError
from storage.accounts.admin_audit import AdminAudit
from storage.accounts.users import NewUser, UserStore
from storage.decisions.writer import PostgresSink
from storage.postgres import Database, Row, Session
from storage.tenants.api_keys import ApiKeyStore
from storage.tenants.issuers import NewIssuer, TenantIssuers
from storage.types import Tenant
from tests.storage.conftest import DatabaseUrls, MakeRecord, RunStatement

pytestmark = pytest.mark.slow
# What a tenant's role may call of ours: who it is, and what an index is made of, out of what it is given.
CALLABLE = {"session_tenant", "opened_at", "marks"}
RELATIONS = (
    "SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class AS c JOIN pg_namespace AS n"
    " ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')"
    " AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' ORDER BY 1"
)
WRITES = ("INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")


@dataclass(frozen=True, slots=True)
class Two:
    """A tenant's session, and what is its own and what its neighbour's."""

    session: Session
    own: Tenant
    other: Tenant
    mark: str  # in everything of the neighbour that can hold a text


@pytest.fixture
async def two(
    migrated: DatabaseUrls,
    database: Database,
    tenant: Tenant,
    neighbour: Tenant,
    make_record: MakeRecord,
    as_superuser: RunStatement,
) -> AsyncIterator[Two]:
    mark = f"mark{secrets.token_hex(6)}"
    for owner, text in ((tenant, "mine"), (neighbour, mark)):
        await PostgresSink(database).write([make_record(owner.id, model=text, upstream=text, request_id=text)])
        await ApiKeyStore(database, b"pepper").create(owner.slug, app=f"app-{text}", name=text)
        await UserStore(database).create(NewUser(f"user-{text}{owner.id}", "analyst", owner.id, text))
        await TenantIssuers(database).create(owner.id, NewIssuer(f"https://{text}", text, jwks_url=f"https://{text}/"))
        await AdminAudit(database).add(text, text, owner.id, text, {"text": text})
    role = f"tenant_{tenant.id}"
    await as_superuser(f"ALTER ROLE {role} PASSWORD 'tenant-test'")
    async with Session.open(migrated.log_in_as(role, "tenant-test")) as session:
        yield Two(session, tenant, neighbour, mark)


async def rows_of(session: Session, relation: str) -> Sequence[Row] | None:
    """Everything that may be read of it, None where nothing may."""
    try:
        async with session.transaction() as connection:
            return await connection.fetch(f"SELECT * FROM {relation}")  # noqa: S608 - the catalogue's names
    except DatabaseUnavailableError as exc:
        if "permission denied" not in str(exc):
            raise
        return None


async def test_of_every_relation_it_reads_its_own_rows_or_nothing(two: Two, as_superuser: RunStatement) -> None:
    relations = await as_superuser(RELATIONS)
    assert len(relations) > 40
    read, refused = dict[str, int](), list[str]()
    for (name,) in relations:
        rows = await rows_of(two.session, name)
        if rows is None:
            refused.append(name)
            continue
        text = str([list(row.values()) for row in rows])
        assert two.mark not in text, name
        assert two.other.slug not in text, name
        read[name] = len(rows)
    own = f"tenant_{two.own.id}"
    assert read[f"{own}.decisions"] == 1
    assert read[f"{own}.api_keys"] == 1
    assert all(name.startswith((f"{own}.", "public.")) for name in read)
    assert len(refused) > 25


async def test_the_rows_that_it_reads_by_the_tables_name_are_its_own(two: Two) -> None:
    for table in ("decisions", "apps", "api_keys"):
        async with two.session.transaction() as connection:
            rows = await connection.fetch(f"SELECT DISTINCT tenant_id FROM public.{table}")  # noqa: S608 - above
        assert [row["tenant_id"] for row in rows] == [two.own.id], table


async def test_it_writes_to_no_relation_and_to_no_column(two: Two, as_superuser: RunStatement) -> None:
    role = f"tenant_{two.own.id}"
    for privilege in WRITES:
        tables = await as_superuser(
            f"SELECT r.name FROM ({RELATIONS}) AS r JOIN pg_class AS c ON c.oid = r.name::regclass"  # noqa: S608 - above
            " WHERE c.relkind <> 'S' AND has_table_privilege($1, r.name, $2)",
            *(role, privilege),
        )
        assert tables == [], privilege
    for privilege in ("INSERT", "UPDATE", "REFERENCES"):
        columns = await as_superuser(
            f"SELECT r.name FROM ({RELATIONS}) AS r JOIN pg_class AS c ON c.oid = r.name::regclass"  # noqa: S608 - above
            " WHERE c.relkind <> 'S' AND has_any_column_privilege($1, r.name, $2)",
            *(role, privilege),
        )
        assert columns == [], privilege
    sequences = await as_superuser(
        "SELECT relname FROM pg_class WHERE CASE relkind WHEN 'S'"
        " THEN has_sequence_privilege($1, oid, 'USAGE,SELECT,UPDATE') ELSE false END",
        role,
    )
    assert sequences == []


async def test_it_calls_no_function_of_ours_but_those_that_say_who_it_is(two: Two, as_superuser: RunStatement) -> None:
    functions = await as_superuser(
        "SELECT p.proname, has_function_privilege($1, p.oid, 'EXECUTE') FROM pg_proc AS p"
        " WHERE p.pronamespace IN ('public'::regnamespace, 'private'::regnamespace)"
        # What pgvector brings computes with what it is given, and reads nothing.
        " AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = p.oid AND d.deptype = 'e')",
        f"tenant_{two.own.id}",
    )
    assert len(functions) > 20
    assert {name for name, may in functions if may} <= CALLABLE


async def test_it_is_a_member_of_nothing_else_and_owns_nothing(two: Two, as_superuser: RunStatement) -> None:
    role = f"tenant_{two.own.id}"
    member_of = await as_superuser(
        "SELECT r.rolname FROM pg_roles AS r WHERE pg_has_role($1, r.oid, 'MEMBER') AND r.rolname <> $1", role
    )
    assert member_of == [("ps_tenant",)]
    attributes = await as_superuser(
        "SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls FROM pg_roles WHERE rolname = $1",
        role,
    )
    assert attributes == [(False,) * 5]
    assert await as_superuser("SELECT count(*) FROM pg_class WHERE relowner = $1::regrole", role) == [(0,)]


async def test_of_the_other_schemas_it_uses_none(two: Two, as_superuser: RunStatement) -> None:
    schemas = await as_superuser(
        "SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'"
        " AND has_schema_privilege($1, oid, 'USAGE')",
        f"tenant_{two.own.id}",
    )
    assert {name for (name,) in schemas} == {"public", f"tenant_{two.own.id}"}


async def test_what_postgres_tells_by_the_way_tells_nothing_of_others(two: Two, as_superuser: RunStatement) -> None:
    """Statistics of columns hold values, running statements hold texts."""
    await as_superuser("ANALYZE public.decisions, public.api_keys, public.apps, private.users")
    async with two.session.transaction() as connection:
        statistics = await connection.fetch("SELECT s::text AS row FROM pg_stats AS s")
        running = await connection.fetch("SELECT query FROM pg_stat_activity WHERE usename <> session_user")
    assert all(two.mark not in row["row"] for row in statistics)
    assert {row["query"] for row in running} <= {None, "", "<insufficient privilege>"}


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT pg_read_file('/etc/passwd')", "COPY (SELECT 1) TO PROGRAM 'true'", "COPY (SELECT 1) TO '/tmp/x'",
        "SELECT lo_import('/etc/passwd')", "SELECT pg_ls_dir('.')", "CREATE EXTENSION plpython3u", "CREATE SCHEMA mine",
        "ALTER ROLE ps_app LOGIN", "CREATE ROLE mine", "SET ROLE ps_access", "SET SESSION AUTHORIZATION ps_access",
        "SELECT private.find_issuers('x')", "SELECT private.audit_hash(NULL)", "SELECT * FROM private.users",
        "SELECT * FROM public.tenant_issuers", "SELECT * FROM private.admin_audit", "SELECT * FROM pg_authid",
        "ALTER TABLE public.decisions DISABLE ROW LEVEL SECURITY", "SELECT pg_reload_conf()",
        "SELECT pg_sleep(0) FROM pg_catalog.pg_user_mapping",
    ],
)  # fmt: skip
async def test_it_may_not(two: Two, statement: str) -> None:
    with pytest.raises(DatabaseUnavailableError, match=r"permission denied|must be|[Oo]nly roles|is not available"):
        async with two.session.transaction() as connection:
            await connection.execute(statement)


async def test_row_security_cannot_be_turned_off(two: Two) -> None:
    """With `row_security = off` a query that would be filtered fails instead."""
    with pytest.raises(DatabaseUnavailableError, match="row-level security"):
        async with two.session.transaction() as connection:
            await connection.execute("SET LOCAL row_security = off; SELECT * FROM public.decisions")


async def test_a_leaky_condition_sees_no_row_of_another(two: Two) -> None:
    """A condition that fails on what it sees would tell of rows that are filtered later; the views are barriers."""
    async with two.session.transaction() as connection:
        rows = await connection.fetch(
            "SELECT 1 FROM decisions WHERE 1 / (CASE WHEN model = 'mine' THEN 1 ELSE 0 END) = 1"
        )
    assert len(rows) == 1
