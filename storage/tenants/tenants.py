"""Tenants: made with their role, schema and app `default`; found by slug."""

from __future__ import annotations

import re
from typing import Final

from detectors.errors import StorageError
from storage.postgres import Database, Row
from storage.types import Role, Tenant

RESERVED_SLUGS: Final = frozenset({"platform", "default", "other", "preset", "pack"})
_SLUG: Final = re.compile(r"[a-z][a-z0-9-]{1,38}")
_KEPT: Final = "SELECT id, slug, name FROM public.tenants"
_LIVE: Final = f"{_KEPT} WHERE deleted_at IS NULL"


class TenantStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, slug: str, name: str = "") -> Tenant:
        """Make a tenant, its app `default`, the role `tenant_<id>` and its schema of views.

        Raises StorageError for a slug that is malformed, reserved or taken.
        """
        if _SLUG.fullmatch(slug) is None:
            raise StorageError(
                "a tenant's slug is 2 to 39 lower-case letters, digits or hyphens and starts with a letter"
            )
        if slug in RESERVED_SLUGS:
            raise StorageError(f'the slug "{slug}" is reserved')
        async with self._database.transaction(Role.APP) as connection:
            tenant_id: int = await connection.fetchval("SELECT private.create_tenant($1, $2)", slug, name)
        return Tenant(tenant_id, slug, name)

    async def list(self) -> tuple[Tenant, ...]:
        """All tenants that are not deleted, by slug."""
        async with self._database.transaction(Role.READER) as connection:
            return tuple(_tenant(row) for row in await connection.fetch(f"{_LIVE} ORDER BY slug"))

    async def kept(self) -> tuple[Tenant, ...]:
        """All tenants that have anything here, deleted ones too until they are purged, by slug."""
        async with self._database.transaction(Role.READER) as connection:
            return tuple(_tenant(row) for row in await connection.fetch(f"{_KEPT} ORDER BY slug"))

    async def find(self, slug: str) -> Tenant | None:
        """The tenant of that slug, unless deleted."""
        async with self._database.transaction(Role.READER) as connection:
            row = await connection.fetchrow(f"{_LIVE} AND slug = $1", slug)
        return None if row is None else _tenant(row)


def _tenant(row: Row) -> Tenant:
    return Tenant(row["id"], row["slug"], row["name"])
