"""The end of a tenant: its keys destroyed first, its decisions signed off and deleted, then all that names it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

import orjson

from detectors.errors import StorageError
from storage.chains.retired import Removal, Retirement
from storage.chains.statements import RetiredRange
from storage.decisions.retention import BATCH
from storage.keys.custody import KeyCustody
from storage.postgres import Database
from storage.types import Role, Tenant

ACTOR: Final = "promptshield"
REASON: Final = "purge"
_RETIRED: Final = """
SELECT r.tenant_id, r.slug, r.purged_at FROM private.deleted_records AS r
WHERE r.purged_at > now() - interval '30 days'
    AND NOT EXISTS (SELECT FROM public.tenants AS t WHERE t.slug = r.slug)
ORDER BY r.id
"""


@dataclass(frozen=True, slots=True)
class Purged:
    """A tenant that is gone, under a slug that nobody has now."""

    tenant_id: int
    slug: str
    purged_at: datetime


class Purge:
    """Removes tenants whose time to be restored is over. The database insists on that itself, in every function."""

    def __init__(self, database: Database, retirement: Retirement) -> None:
        self._database, self._retirement = database, retirement

    async def due(self) -> tuple[Tenant, ...]:
        """Return whom to purge now."""
        async with self._database.transaction(Role.SHIP) as connection:
            rows = await connection.fetch("SELECT id, slug FROM private.tenants_to_purge()")
        return tuple(Tenant(row["id"], row["slug"], "") for row in rows)

    async def run(self, tenant: Tenant) -> dict[str, int]:
        """Purge one tenant; return how many rows of what went. Whatever fails half-way, the next run goes on there.

        Raises StorageError, UnsoundError where its decisions are not what was written.
        """
        # Whatever stops us later, what was locked with these can be read by nobody any more.
        await KeyCustody(self._database, ACTOR).shred(tenant)
        deleted, ranges = 0, list[RetiredRange]()
        async with self._database.transaction(Role.SHIP) as connection:
            days = [
                row["day"] for row in await connection.fetch("SELECT day FROM private.days_of($1) AS day", tenant.id)
            ]
        try:
            for day in days:
                went = BATCH
                while went >= BATCH:
                    went, retired = await self._delete(tenant.id, day)
                    deleted += went
                    ranges += retired
        finally:
            await self._retirement.publish()
        chains = [{"instance": one.instance, "first": one.first, "last": one.last} for one in ranges]
        async with self._database.transaction(Role.SHIP) as connection:
            counts: dict[str, Any] = orjson.loads(
                await connection.fetchval(
                    "SELECT private.purge_tenant($1, $2, $3, $4)",
                    *(tenant.id, deleted, orjson.dumps(chains).decode(), REASON),
                )
            )
        return {word: int(count) for word, count in counts.items()}

    async def gone(self) -> tuple[Purged, ...]:
        """Return who was purged lately and whose slug is free; what arrived for any of them since is forgotten."""
        async with self._database.transaction(Role.SHIP) as connection:
            await connection.execute("SELECT private.forget_purged()")
        async with self._database.transaction(Role.READER) as connection:
            return tuple(Purged(**dict(row.items())) for row in await connection.fetch(_RETIRED))

    async def _delete(self, tenant_id: int, day: date) -> tuple[int, tuple[RetiredRange, ...]]:
        """Delete a tenant's first decisions of a day, which are signed for; less than BATCH if they were the last."""
        async with self._database.transaction(Role.SHIP) as connection:
            if not await connection.fetchval("SELECT private.hold_day_of($1, $2)", tenant_id, day):
                raise StorageError("a day is in use: the purge goes on later")
            until: datetime = await connection.fetchval("SELECT private.slice_of($1, $2, $3)", tenant_id, day, BATCH)
            start = datetime(day.year, day.month, day.day, tzinfo=UTC)
            retired = await self._retirement.record(connection, Removal(start, until, REASON, tenant_id))
            deleted: int = await connection.fetchval("SELECT private.purge_day($1, $2, $3)", tenant_id, day, until)
        return deleted, tuple(retired)
