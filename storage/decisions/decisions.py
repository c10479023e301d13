"""Decisions in Postgres, as one reads them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import UUID

import orjson

from detectors.errors import StorageError
from storage.postgres import Database, Row
from storage.types import Role
from storage.uuid7 import time_of, uuid7

JsonObject = dict[str, Any]

_JSON_COLUMNS: Final = ("scores", "facts", "coverage", "digests")

_LATE: Final = 900.0  # seconds after younger ones that a decision may be stored and still be followed
_MOST_KNOWN: Final = 20_000
_SELECT: Final = (
    "SELECT d.*, t.slug AS tenant, a.name AS app FROM public.decisions AS d"
    " JOIN public.tenants AS t ON t.id = d.tenant_id LEFT JOIN public.apps AS a ON a.id = d.app_id WHERE "
)
_OF_TENANT: Final = "($1::text IS NULL OR d.tenant_id = (SELECT id FROM public.tenants WHERE slug = $1))"
_NEWEST: Final = f"{_SELECT} {_OF_TENANT} ORDER BY d.opened_at DESC, d.id DESC LIMIT $2"
# The plain comparison beside that of rows is the one that leaves out whole partitions.
_AFTER: Final = (
    f"{_SELECT} {_OF_TENANT} AND d.opened_at >= private.opened_at($3::uuid)"
    " AND (d.opened_at, d.id) > (private.opened_at($3::uuid), $3::uuid) AND d.id <> ALL ($4::uuid[])"
    " ORDER BY d.opened_at, d.id LIMIT $2"
)
_ONE: Final = f"{_SELECT} d.opened_at = private.opened_at($1::uuid) AND d.id = $1::uuid"


class DecisionReader:
    """Reads as the platform, across tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def tail(
        self, tenant: str | None = None, limit: int = 20, after: str | None = None, but: Iterable[str] = ()
    ) -> tuple[JsonObject, ...]:
        """At most `limit` decisions, newest last: the newest of all, or the first opened after the decision `after`.

        `tenant` is a slug, None means all; `but` are ids to leave out of what is after one. A row has the columns of
        `decisions`, and `tenant` and `app` by name; JSON is parsed, times are aware. A long exchange may be stored
        after younger ones: see `Following`. Raises StorageError if `after` is not a decision's id.
        """
        async with self._database.transaction(Role.READER) as connection:
            if after is None:
                rows = await connection.fetch(_NEWEST, tenant, limit)
                return tuple(readable(row) for row in reversed(rows))
            rows = await connection.fetch(_AFTER, tenant, limit, decision_uuid(after), [UUID(one) for one in but])
            return tuple(readable(row) for row in rows)

    async def show(self, decision_id: str, tenant_id: int | None = None) -> JsonObject | None:
        """One decision as in `tail`, or None. Raises StorageError if `decision_id` is not a decision's id.

        With a `tenant_id` it reads as that tenant, to whom others' decisions are not there.
        """
        role = Role.READER if tenant_id is None else Role.APP
        async with self._database.transaction(role, tenant_id) as connection:
            row = await connection.fetchrow(_ONE, decision_uuid(decision_id))
        return None if row is None else readable(row)


class Following:
    """Decisions as they are stored, each once, also those that are stored after younger ones (long exchanges) or that a
    clock which was set back dates before them. Begins behind the oldest of `first`, newest last.
    """

    def __init__(self, reader: DecisionReader, tenant: str | None, first: Sequence[JsonObject]) -> None:
        self._reader, self._tenant = reader, tenant
        self._known: list[str] = [row["id"] for row in first]  # in their order
        self._from: str | None = self._known[0] if self._known else None

    async def more(self, limit: int) -> tuple[JsonObject, ...]:
        """Return at most `limit` that are new, newest last. Raises StorageError."""
        if self._from is None:  # nothing had been stored: the first ones are as new as they come
            rows = await self._reader.tail(self._tenant, limit)
        else:
            rows = await self._reader.tail(self._tenant, limit, self._from, self._known)
        self._known = sorted([*self._known, *(row["id"] for row in rows)])[-_MOST_KNOWN:]
        if self._known:
            least = self._known[0] if self._from is None or len(self._known) == _MOST_KNOWN else self._from
            self._from = max(least, uuid7(max(0.0, min(time_of(self._known[-1]), time.time()) - _LATE)))
            self._known = [one for one in self._known if one >= self._from]
        return rows


def decision_uuid(text: str) -> UUID:
    """Read a decision's id. Raises StorageError if it is none."""
    try:
        decision_id = UUID(text)
    except ValueError as exc:
        raise StorageError("a decision's id is a UUID") from exc
    if decision_id.version != 7:
        raise StorageError("a decision's id is a UUID of version 7")
    return decision_id


def readable(row: Row) -> JsonObject:
    """A row of `decisions` with JSON parsed; `personal` is None where it was erased, or was never kept."""
    columns = dict(row.items())
    columns["id"] = str(columns["id"])
    for column in _JSON_COLUMNS:
        columns[column] = orjson.loads(columns[column])
    if columns["personal"] is not None:
        columns["personal"] = orjson.loads(columns["personal"])
    return columns
