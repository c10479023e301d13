"""How bodies and subjects end: on their last day, when a policy got stricter, and with their decision at the latest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from detectors.errors import StorageError
from storage.postgres import Database
from storage.types import Role

DAYS_AHEAD: Final = 3
BATCH: Final = 10_000  # rows deleted in one transaction: the shipper never waits long


@dataclass(frozen=True, slots=True)
class BodyRetentionCounts:
    """What one run removed: whole days of bodies or subjects, and rows of both."""

    partitions: int
    rows: int


class BodyRetention:
    """Any number of instances may run it: what one has removed, the other does not find."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run_once(self, now: datetime, days: Mapping[int, int], default: int) -> BodyRetentionCounts:
        """Make the partitions of the days to come, and remove what has had its time.

        `days` is how long the policies of a tenant (by id) keep bodies now, `default` those of all others; a body
        was given its last day when it was made, so that only a policy that got stricter makes a difference here.
        Nothing younger than a day is ever removed. Raises DatabaseUnavailableError.
        """
        await self._ensure_partitions(now, {*days.values(), default})
        rows = sum([await self._shorten(tenant_id, kept) for tenant_id, kept in sorted(days.items())])
        rows += await self._until_few("SELECT private.delete_orphaned_bodies($1)", BATCH)
        rows += await self._until_few("SELECT private.delete_orphaned_subjects($1)", BATCH)
        # Last: a drop locks the whole table until the end of its transaction, and the shipper waits.
        async with self._database.transaction(Role.SHIP) as connection:
            expired = await connection.fetchrow("SELECT * FROM private.drop_expired_bodies()")
        async with self._database.transaction(Role.SHIP) as connection:
            dropped: int = await connection.fetchval("SELECT private.drop_empty_subject_days()")
        if expired is None:
            raise StorageError("private.drop_expired_bodies did not say what it did")
        return BodyRetentionCounts(expired["partitions"] + dropped, rows + expired["rows"])

    async def _ensure_partitions(self, now: datetime, kept: set[int]) -> None:
        today = now.astimezone(UTC).date()
        opened = [today + timedelta(ahead) for ahead in range(DAYS_AHEAD + 1)]
        untils = sorted({day + timedelta(days) for day in opened for days in kept})
        async with self._database.transaction(Role.SHIP) as connection:
            await connection.execute("SELECT private.ensure_body_partitions($1, $2)", untils, opened)

    async def _shorten(self, tenant_id: int, days: int) -> int:
        return await self._until_few("SELECT private.shorten_bodies($1, $2, $3)", tenant_id, days, BATCH)

    async def _until_few(self, statement: str, *args: object) -> int:
        """Repeat a statement that deletes at most BATCH rows, each time in a transaction, until it finds fewer."""
        total, deleted = 0, BATCH
        while deleted >= BATCH:
            async with self._database.transaction(Role.SHIP) as connection:
                deleted = await connection.fetchval(statement, *args)
            total += deleted
        return total
