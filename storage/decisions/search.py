"""Finding decisions among years of them: newest first, a page at a time, in no more partitions than it takes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from detectors.errors import StorageError
from storage.decisions.conditions import Condition, DecisionFilter, conditions_of, join_conditions
from storage.decisions.cursor import read_cursor, write_cursor
from storage.decisions.decisions import JsonObject, readable
from storage.postgres import Connection, Database
from storage.types import Role
from storage.uuid7 import time_of

EXPORT_PAGE: Final = 1000
# How far back each look goes from the newest moment asked for, before the last one goes all the way.
_REACH: Final = tuple(timedelta(hours=hours) for hours in (1, 6, 24, 4 * 24, 16 * 24, 64 * 24))
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class DecisionPage:
    """Decisions as `DecisionReader` shows them, newest first; `cursor` asks for what follows, None if nothing does."""

    rows: tuple[JsonObject, ...]
    cursor: str | None


class DecisionSearch:
    """Reads as the platform, across tenants; `database` may be a replica.

    With a `tenant_id` it reads as that tenant: the database itself shows it nobody else's rows. Only where findings are
    asked for it reads as the platform, with the tenant as a condition: row security lets no index answer that.
    """

    def __init__(self, database: Database, tenant_id: int | None = None) -> None:
        self._database, self._tenant_id = database, tenant_id
        self._role = Role.READER if tenant_id is None else Role.APP

    async def page(self, wanted: DecisionFilter, limit: int = 50, cursor: str | None = None) -> DecisionPage:
        """At most `limit` decisions, newest first, from where `cursor` stopped.

        Raises StorageError for a cursor that another search gave out or somebody changed, for a tenant or app that does
        not exist, and for a content hash that is none.
        """
        if self._tenant_id is not None:
            wanted = replace(wanted, tenant=None, tenant_id=self._tenant_id)
        after = None if cursor is None else read_cursor(cursor, wanted)
        async with self._database.transaction(self._role, self._tenant_id) as connection:
            conditions = await conditions_of(connection, wanted)
        role = Role.READER if any(condition.indexed for condition in conditions) else self._role
        async with self._database.transaction(role, self._tenant_id) as connection:
            rows = await _look_back(connection, conditions, windows(wanted, after, datetime.now(UTC)), limit + 1)
        if self._tenant_id is not None and any(row["tenant_id"] != self._tenant_id for row in rows):
            raise StorageError("a search found what is another tenant's")
        more = len(rows) > limit
        rows = rows[:limit]
        return DecisionPage(tuple(rows), write_cursor(UUID(rows[-1]["id"]), wanted) if more and rows else None)

    async def export(self, wanted: DecisionFilter, page: int = EXPORT_PAGE) -> AsyncIterator[JsonObject]:
        """All of them, newest first, in bounded memory.

        Each page is a transaction of its own, so that an export of hours holds up neither vacuum nor retention; what is
        stored meanwhile is seen if it is older than the place reached. Raises as `page` does.
        """
        found = await self.page(wanted, page)
        while True:
            for row in found.rows:
                yield row
            if found.cursor is None:
                return
            found = await self.page(wanted, page, found.cursor)


def windows(wanted: DecisionFilter, after: UUID | None, now: datetime) -> Iterator[list[Condition]]:
    """Conditions on time, newest first and side by side, that together are all that is wanted."""
    newest = now if wanted.until is None else min(now, wanted.until)
    upper = [] if wanted.until is None else [Condition("d.opened_at < {}", (wanted.until,))]
    if after is not None:
        # As numbers: a place beyond the year 9999 is no datetime.
        newest = datetime.fromtimestamp(min(newest.timestamp(), time_of(str(after))), UTC)
        # The plain comparison beside that of rows is the one that leaves out whole partitions.
        upper.append(Condition("d.opened_at <= private.opened_at({})", (after,)))
        upper.append(Condition("(d.opened_at, d.id) < (private.opened_at({}), {})", (after, after)))
    for reach in _REACH:
        lower = max(newest, _EPOCH + reach) - reach
        if lower <= (wanted.since or _EPOCH):
            break
        yield [*upper, Condition("d.opened_at >= {}", (lower,))]
        upper = [Condition("d.opened_at < {}", (lower,))]
    yield [*upper, *([Condition("d.opened_at >= {}", (wanted.since,))] if wanted.since is not None else [])]


def search_statement(conditions: list[Condition], limit: int) -> tuple[str, list[object]]:
    """Return the SQL of one look, and its parameters."""
    condition, values = join_conditions(conditions)
    # Found first, then sorted: of what is rare the planner cannot know that it is, and would walk back in time past ten
    # million others until it has enough. What is common is found in the first, short look.
    source = f"SELECT * FROM public.decisions AS d WHERE {condition}"  # noqa: S608 - conditions of ours; values are parameters
    if any(each.indexed for each in conditions):
        source = f"WITH found AS MATERIALIZED ({source}) SELECT * FROM found AS d"  # noqa: S608 - likewise
    # Names are looked up for the few rows that are left: a join before LIMIT tempts the planner to sort everything.
    sql = (
        "SELECT d.*, t.slug AS tenant, a.name AS app FROM ("  # noqa: S608 - likewise
        f"{source} ORDER BY d.opened_at DESC, d.id DESC LIMIT {limit}"
        ") AS d JOIN public.tenants AS t ON t.id = d.tenant_id LEFT JOIN public.apps AS a ON a.id = d.app_id"
        " ORDER BY d.opened_at DESC, d.id DESC"
    )
    return sql, values


async def _look_back(
    connection: Connection, conditions: list[Condition], times: Iterator[list[Condition]], limit: int
) -> list[JsonObject]:
    """Look further back only as long as there are too few."""
    rows: list[JsonObject] = []
    for window in times:
        sql, values = search_statement([*conditions, *window], limit - len(rows))
        rows += [readable(row) for row in await connection.fetch(sql, *values)]
        if len(rows) >= limit:
            break
    return rows
