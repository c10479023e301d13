"""Decisions in Postgres, as one reads them."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

import orjson

from detectors.errors import StorageError
from storage.postgres import Database, Row
from storage.types import Role

JsonObject = dict[str, Any]

_JSON_COLUMNS: Final = ("scores", "facts", "coverage", "digests")

_SELECT: Final = (
    "SELECT d.*, t.slug AS tenant, a.name AS app FROM public.decisions AS d"
    " JOIN public.tenants AS t ON t.id = d.tenant_id LEFT JOIN public.apps AS a ON a.id = d.app_id WHERE "
)
_OF_TENANT: Final = "($1::text IS NULL OR d.tenant_id = (SELECT id FROM public.tenants WHERE slug = $1))"
_NEWEST: Final = f"{_SELECT} {_OF_TENANT} ORDER BY d.opened_at DESC, d.id DESC LIMIT $2"
# The plain comparison beside that of rows is the one that leaves out whole partitions.
_AFTER: Final = (
    f"{_SELECT} {_OF_TENANT} AND d.opened_at >= private.opened_at($3::uuid)"
    " AND (d.opened_at, d.id) > (private.opened_at($3::uuid), $3::uuid) ORDER BY d.opened_at, d.id LIMIT $2"
)
_ONE: Final = f"{_SELECT} d.opened_at = private.opened_at($1::uuid) AND d.id = $1::uuid"


class DecisionReader:
    """Reads as the platform, across tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def tail(
        self, tenant: str | None = None, limit: int = 20, after: str | None = None
    ) -> tuple[JsonObject, ...]:
        """At most `limit` decisions, newest last: the newest of all, or the first opened after the decision `after`.

        `tenant` is a slug, None means all. A row has the columns of `decisions`, and `tenant` and `app` by name;
        JSON is parsed, times are aware. A long exchange may be stored after younger ones, so a follower that goes on
        from the last id it saw can miss it. Raises StorageError if `after` is not a decision's id.
        """
        async with self._database.transaction(Role.READER) as connection:
            if after is None:
                rows = await connection.fetch(_NEWEST, tenant, limit)
                return tuple(readable(row) for row in reversed(rows))
            rows = await connection.fetch(_AFTER, tenant, limit, decision_uuid(after))
            return tuple(readable(row) for row in rows)

    async def show(self, decision_id: str, tenant_id: int | None = None) -> JsonObject | None:
        """One decision as in `tail`, or None. Raises StorageError if `decision_id` is not a decision's id.

        With a `tenant_id` it reads as that tenant, to whom others' decisions are not there.
        """
        role = Role.READER if tenant_id is None else Role.APP
        async with self._database.transaction(role, tenant_id) as connection:
            row = await connection.fetchrow(_ONE, decision_uuid(decision_id))
        return None if row is None else readable(row)


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
