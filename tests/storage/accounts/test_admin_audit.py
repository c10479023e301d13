"""The book of what administrators did: found by who, what, when and whose."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from detectors.errors import DatabaseUnavailableError
from storage.accounts.admin_audit import AdminAudit, Sought
from storage.postgres import Database
from storage.types import Role, Tenant

pytestmark = pytest.mark.slow  # a database of their own


@pytest.fixture
async def book(database: Database, tenant: Tenant, neighbour: Tenant) -> AdminAudit:
    audit = AdminAudit(database)
    await audit.add("user:anna", "users.create", tenant.id, "ben", {"after": {"role": "analyst"}})
    await audit.add("user:anna", "users.disable", tenant.id, "ben", {})
    await audit.add("user:zoe", "sign_in", neighbour.id, "zoe", {})
    return audit


async def test_events_are_found_the_newest_first_and_by_what_is_sought(
    book: AdminAudit, tenant: Tenant, neighbour: Tenant
) -> None:
    mine = await book.list(Sought(tenant.id))
    assert [event.action for event in mine] == ["users.disable", "users.create"]
    assert mine[1].details == {"after": {"role": "analyst"}}
    assert [event.action for event in await book.list(Sought(tenant.id, action="users.c*"))] == ["users.create"]
    assert await book.list(Sought(tenant.id, actor="user:zoe")) == ()
    assert await book.list(Sought(tenant.id, before=mine[1].seq)) == ()
    assert [event.actor for event in await book.list(Sought(neighbour.id))] == ["user:zoe"]
    later = datetime.now(UTC) + timedelta(hours=1)
    assert await book.list(Sought(tenant.id, since=later)) == ()
    assert len(await book.list(Sought(tenant.id, until=later), limit=1)) == 1


@pytest.mark.parametrize("statement", ["UPDATE private.admin_audit SET actor = 'x'", "DELETE FROM private.admin_audit"])
@pytest.mark.parametrize("role", [Role.ACCESS, Role.APP])
async def test_the_planes_may_only_add(book: AdminAudit, database: Database, role: Role, statement: str) -> None:
    with pytest.raises(DatabaseUnavailableError, match="permission denied"):
        async with database.transaction(role) as connection:
            await connection.execute(statement)
