"""The admin audit as a chain: what a database's administrator does to it, `verify` finds."""

from __future__ import annotations

import asyncio

import pytest

from detectors.errors import StorageError
from storage.accounts.admin_audit import AdminAudit
from storage.accounts.audit_chain import check_admin_audit, stored_head
from storage.chains.chain import Head
from storage.chains.damage import DamageKind, Damages
from storage.chains.evidence import SignedHead
from storage.postgres import Database
from storage.types import Role, Tenant
from tests.storage.conftest import RunStatement

pytestmark = pytest.mark.slow  # a database of their own
_UNGUARDED = "ALTER TABLE private.admin_audit DISABLE TRIGGER USER"
_GUARDED = "ALTER TABLE private.admin_audit ENABLE TRIGGER USER"


@pytest.fixture
async def book(database: Database, as_superuser: RunStatement) -> AdminAudit:
    """A fresh book with five entries."""
    await as_superuser(_UNGUARDED)
    await as_superuser("DELETE FROM private.admin_audit")
    await as_superuser("UPDATE private.admin_audit_head SET seq = 0, hash = decode(repeat('00', 32), 'hex')")
    await as_superuser(_GUARDED)
    audit = AdminAudit(database)
    for number in range(5):
        await audit.add("user:anna", "users.create", None, f"ü{number}", {"after": {"b": 1, "a": [None, "x\n"]}})
    return audit


async def found(database: Database, *signed: Head) -> list[tuple[DamageKind, int | None]]:
    damages = Damages()
    async with database.transaction(Role.READER, snapshot=True) as connection:
        await check_admin_audit(connection, [SignedHead(head, 0) for head in signed], damages)
    return [(damage.kind, damage.seq) for damage in damages]


async def head_of(database: Database) -> Head:
    async with database.transaction(Role.READER) as connection:
        head = await stored_head(connection)
    assert head is not None
    return head


async def test_an_untouched_book_is_intact(book: AdminAudit, database: Database) -> None:
    assert (await head_of(database)).seq == 5
    assert await found(database, await head_of(database)) == []


async def test_what_the_planes_and_functions_write_is_chained_too(
    book: AdminAudit, database: Database, tenant: Tenant
) -> None:
    async with database.transaction(Role.APP, tenant.id) as connection:
        await connection.execute(
            "INSERT INTO private.admin_audit (actor, action, tenant_id) VALUES ('a', 'b', $1)", tenant.id
        )
        await connection.execute(
            "SELECT private.save_policy('acme', '', $1, 'r', 'cli:me', 'a reason')", f"sha256:{'0' * 64}"
        )
    assert (await head_of(database)).seq == 7
    assert await found(database) == []


async def test_many_at_once_make_one_chain(book: AdminAudit, database: Database) -> None:
    await asyncio.gather(*(book.add("a", "b", None, str(number), {}) for number in range(20)))
    assert (await head_of(database)).seq == 25
    assert await found(database) == []


@pytest.mark.parametrize("statement", ["UPDATE private.admin_audit SET actor = 'x'", "DELETE FROM private.admin_audit"])
async def test_nobody_changes_it_by_mistake(book: AdminAudit, as_superuser: RunStatement, statement: str) -> None:
    with pytest.raises(StorageError, match="written once"):
        await as_superuser(statement)


async def test_the_planes_cannot_choose_a_link_or_a_time(book: AdminAudit, database: Database) -> None:
    for column in ("seq", "prev", "hash", "at"):
        with pytest.raises(StorageError, match="permission denied"):
            async with database.transaction(Role.ACCESS) as connection:
                await connection.execute(
                    f"INSERT INTO private.admin_audit (actor, action, {column}) VALUES ('a', 'b', NULL)"  # noqa: S608
                )


@pytest.mark.parametrize(
    ("tampering", "damage"),
    [
        ("UPDATE private.admin_audit SET actor = 'user:eve' WHERE seq = 3", (DamageKind.EDIT, 3)),
        ("UPDATE private.admin_audit SET details = '{}' WHERE seq = 2", (DamageKind.EDIT, 2)),
        ("UPDATE private.admin_audit SET at = at - interval '1 s' WHERE seq = 4", (DamageKind.EDIT, 4)),
        ("DELETE FROM private.admin_audit WHERE seq = 3", (DamageKind.DELETION, 3)),
        ("DELETE FROM private.admin_audit WHERE seq = 5", (DamageKind.TRUNCATION, 5)),
        ("UPDATE private.admin_audit_head SET seq = 4", (DamageKind.INSERTION, 5)),
        (
            "INSERT INTO private.admin_audit (actor, action, seq, prev, hash) VALUES ('user:eve', 'x', 0, '', '')",
            (DamageKind.INSERTION, None),
        ),
    ],
)
async def test_what_a_database_administrator_does_is_found(
    book: AdminAudit,
    database: Database,
    as_superuser: RunStatement,
    tampering: str,
    damage: tuple[DamageKind, int | None],
) -> None:
    await as_superuser(_UNGUARDED)
    await as_superuser(tampering)
    await as_superuser(_GUARDED)
    assert damage in await found(database)


async def test_a_chain_made_anew_is_not_the_one_that_was_signed(
    book: AdminAudit, database: Database, as_superuser: RunStatement
) -> None:
    signed = await head_of(database)
    await as_superuser(_UNGUARDED)
    await as_superuser("DELETE FROM private.admin_audit")
    await as_superuser("UPDATE private.admin_audit_head SET seq = 0, hash = decode(repeat('00', 32), 'hex')")
    await as_superuser(_GUARDED)
    for number in range(5):
        await book.add("user:eve", "users.create", None, str(number), {})
    assert await found(database) == []
    assert await found(database, signed) == [(DamageKind.EDIT, 1)]
