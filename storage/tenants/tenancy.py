"""The life of a tenant: suspended and resumed, deleted with time to think it over, restored, purged in the end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from detectors.errors import StorageError
from storage.postgres import Database, Row
from storage.tenants.tenants import TenantStore
from storage.types import Role

GRACE: Final = timedelta(days=30)
LEAST_GRACE: Final = timedelta(days=3)  # the database gives no less
_SELECT: Final = "SELECT id, slug, name, created_at, suspended_at, deleted_at, purge_after FROM public.tenants"


@dataclass(frozen=True, slots=True)
class TenantState:
    """A tenant, deleted ones too; times are aware. After `purge_after` nobody can restore it."""

    id: int
    slug: str
    name: str
    created_at: datetime
    suspended_at: datetime | None
    deleted_at: datetime | None
    purge_after: datetime | None

    @property
    def state(self) -> str:
        if self.deleted_at is not None:
            return "deleted"
        return "active" if self.suspended_at is None else "suspended"


class Tenancy:
    """Changes what a tenant is. Data planes know of it within a second or two."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, slug: str, name: str) -> TenantState:
        """Make a tenant. Raises StorageError for a slug that is malformed, reserved or taken."""
        made = await TenantStore(self._database).create(slug, name)
        found = await self.by_id(made.id)
        if found is None:
            raise StorageError(f'tenant "{slug}" is gone again')
        return found

    async def find(self, slug: str) -> TenantState | None:
        """Return the tenant of that slug, a deleted one too."""
        return await self._one("slug = $1", slug)

    async def by_id(self, tenant_id: int) -> TenantState | None:
        return await self._one("id = $1", tenant_id)

    async def list(self, *, after: int, limit: int, only: int | None) -> tuple[TenantState, ...]:
        """Return tenants with greater ids than `after`, at most `limit`; only the one of the id `only` if given."""
        sql = f"{_SELECT} WHERE id > $1 AND ($2::bigint IS NULL OR id = $2) ORDER BY id LIMIT $3"
        async with self._database.transaction(Role.READER) as connection:
            return tuple(_state(row) for row in await connection.fetch(sql, after, only, limit))

    async def rename(self, tenant_id: int, name: str) -> None:
        async with self._database.transaction(Role.APP, tenant_id) as connection:
            await connection.execute("UPDATE public.tenants SET name = $2 WHERE id = $1", tenant_id, name)

    async def suspend(self, tenant_id: int) -> None:
        """End all use of its keys until it is resumed. Raises StorageError where it is deleted."""
        await self._set_suspended(tenant_id, suspended=True)

    async def resume(self, tenant_id: int) -> None:
        """Raises StorageError where it is deleted."""
        await self._set_suspended(tenant_id, suspended=False)

    async def delete(self, tenant_id: int, grace: timedelta = GRACE) -> datetime:
        """End a tenant; return until when it can be restored: three days from now, or `grace` if that is longer.

        Raises StorageError where it is deleted already.
        """
        async with self._database.transaction(Role.APP) as connection:
            until: datetime | None = await connection.fetchval("SELECT private.delete_tenant($1, $2)", tenant_id, grace)
        if until is None:
            raise StorageError("the tenant is deleted already")
        return until

    async def restore(self, tenant_id: int) -> None:
        """Undo `delete`. Raises StorageError where there is nothing to undo, or no time left to."""
        await self._insist("restore_tenant", tenant_id, "the tenant is not deleted, or its time to be restored is over")

    async def hasten_purge(self, tenant_id: int) -> None:
        """End the time in which it can be restored: the control plane purges it within a minute.

        Raises StorageError unless it was deleted three days ago.
        """
        await self._insist("hasten_purge", tenant_id, "only a tenant that was deleted three days ago can be purged")

    async def _set_suspended(self, tenant_id: int, *, suspended: bool) -> None:
        async with self._database.transaction(Role.APP) as connection:
            done: bool = await connection.fetchval("SELECT private.suspend_tenant($1, $2)", tenant_id, suspended)
        if not done:
            raise StorageError("the tenant is deleted")

    async def _insist(self, function: str, tenant_id: int, otherwise: str) -> None:
        async with self._database.transaction(Role.APP) as connection:
            done: bool = await connection.fetchval(f"SELECT private.{function}($1)", tenant_id)
        if not done:
            raise StorageError(otherwise)

    async def _one(self, condition: str, value: object) -> TenantState | None:
        async with self._database.transaction(Role.READER) as connection:
            row = await connection.fetchrow(f"{_SELECT} WHERE {condition}", value)
        return None if row is None else _state(row)


def _state(row: Row) -> TenantState:
    return TenantState(**dict(row.items()))
