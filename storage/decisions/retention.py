"""Decisions that have outlived their tenant's retention: signed off, then dropped by the day or deleted in batches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from detectors.errors import StorageError
from storage.chains.retired import Removal, Retirement, UnsoundError
from storage.chains.statements import RetiredRange
from storage.postgres import Connection, Database
from storage.types import Role

BATCH: Final = 20_000  # rows deleted in one transaction where a day's partition has to stay
_REASON: Final = "retention"


@dataclass(frozen=True, slots=True)
class Wishes:
    """How many days each tenant (by id) wants its decisions kept, and how many everybody else."""

    days: Mapping[int, int]
    fallback: int

    def insist(self, ranges: Iterable[RetiredRange], day: date, now: datetime) -> None:
        """Raise UnsoundError if one of the ranges of `day` is still wanted. The database has looked before, and whoever
        controls it can let it say anything; only we sign.
        """
        for each in ranges:
            if day + timedelta(1 + self.days.get(each.tenant_id, self.fallback)) > now.astimezone(UTC).date():
                raise UnsoundError(f"{day} is not removed: a policy still wants it, whatever the database says")


@dataclass(slots=True)
class Expiry:
    """What one look removed: whole days, single rows, rows of rollups. `postponed` days are tried again."""

    dropped_days: int = 0
    deleted_rows: int = 0
    deleted_rollups: int = 0
    postponed_days: int = 0


class _PostponedError(StorageError):
    """Somebody uses the table, or another instance is at it; what was recorded is rolled back with it."""


class Retention:
    """Removes what has expired. The database decides what that is, by its own clock and by what it was told before.

    Whoever calls its functions can announce a shorter retention and wait for three days, and nothing else; what is
    shortened here takes effect as late.
    """

    def __init__(self, database: Database, retirement: Retirement) -> None:
        self._database, self._retirement = database, retirement

    async def run_once(self, now: datetime, retain: Mapping[int, int], default: int) -> Expiry:
        """Take note of `retain` (days by tenant id, `default` for all others) and remove what has expired.

        Several instances may call it: each day is one's. A `now` behind the database's clock puts things off; one ahead
        of it changes nothing. Raises StorageError, DatabaseUnavailableError; what was removed until then is signed.
        A day that cannot be signed for is left, and raises UnsoundError when all others are done.
        """
        expiry, wishes = Expiry(), Wishes(retain, default)
        unsound: UnsoundError | None = None
        async with self._database.transaction(Role.SHIP) as connection:
            await connection.execute(
                "SELECT private.announce_retention($1, $2, $3)", list(retain), list(retain.values()), default
            )
        try:
            for day, tenants, whole in await self._expired(now):
                try:
                    await self._remove(expiry, wishes, now, day, tenants if not whole else None)
                except _PostponedError:
                    expiry.postponed_days += 1
                except UnsoundError as exc:
                    unsound = exc
        finally:
            await self._retirement.publish()
        expiry.deleted_rollups = await self._expire_rollups()
        if unsound is not None:
            raise unsound
        return expiry

    async def _expired(self, now: datetime) -> list[tuple[date, list[int], bool]]:
        async with self._database.transaction(Role.SHIP) as connection:
            rows = await connection.fetch("SELECT day, tenant_ids, whole FROM private.expired_days($1)", now)
        return [(row["day"], row["tenant_ids"], row["whole"]) for row in rows]

    async def _remove(
        self, expiry: Expiry, wishes: Wishes, now: datetime, day: date, tenants: list[int] | None
    ) -> None:
        """Remove a day: all of it, or the rows of `tenants`, a batch at a time. Raises _PostponedError."""
        if tenants is None:
            await self._drop(day, now, wishes)
            expiry.dropped_days += 1
            return
        for tenant_id in tenants:
            deleted = BATCH
            while deleted >= BATCH:
                deleted = await self._delete(day, now, tenant_id, wishes)
                expiry.deleted_rows += deleted

    async def _drop(self, day: date, now: datetime, wishes: Wishes) -> None:
        async with self._database.transaction(Role.SHIP) as connection:
            await _hold(connection, day)
            wishes.insist(await self._retirement.record(connection, _removal(day)), day, now)
            if not await connection.fetchval("SELECT private.drop_day($1, $2)", day, now):
                raise _PostponedError("a day is in use")

    async def _delete(self, day: date, now: datetime, tenant_id: int, wishes: Wishes) -> int:
        """Delete a tenant's first rows of a day; return how many: less than BATCH if they were the last."""
        async with self._database.transaction(Role.SHIP) as connection:
            await _hold(connection, day)
            until: datetime = await connection.fetchval("SELECT private.slice_of($1, $2, $3)", tenant_id, day, BATCH)
            removal = Removal(_start(day), until, _REASON, tenant_id)
            wishes.insist(await self._retirement.record(connection, removal), day, now)
            deleted: int = await connection.fetchval(
                "SELECT private.delete_day($1, $2, $3, $4)", tenant_id, day, until, now
            )
        return deleted

    async def _expire_rollups(self) -> int:
        total = 0
        while True:
            async with self._database.transaction(Role.SHIP) as connection:
                deleted: int = await connection.fetchval("SELECT private.expire_rollups($1)", BATCH)
            total += deleted
            if deleted < BATCH:
                return total


async def _hold(connection: Connection, day: date) -> None:
    if not await connection.fetchval("SELECT private.hold_day($1)", day):
        raise _PostponedError("a day is in use")


def _removal(day: date) -> Removal:
    partition = f"private.decisions_{day:%Y%m%d}"
    return Removal(_start(day), _start(day + timedelta(1)), _REASON, partition=partition)


def _start(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
