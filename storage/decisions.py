"""Decisions in Postgres: the sink that writes them and the reader that shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
from operator import attrgetter
from typing import Any, Final
from uuid import UUID

import orjson

from detectors.errors import StorageError
from storage.postgres import Connection, Database, Row
from storage.types import DecisionRecord, Role
from storage.uuid7 import time_of

JsonObject = dict[str, Any]

_COLUMNS: Final = tuple(field.name for field in fields(DecisionRecord))
_VALUES: Final = attrgetter(*_COLUMNS)
_JSON_COLUMNS: Final = ("scores", "facts", "coverage", "digests")
_DAYS_AHEAD: Final = 2

_INSERT: Final = (
    f"INSERT INTO public.decisions (opened_at, {', '.join(_COLUMNS)}) "  # noqa: S608 - names of our own fields
    f"SELECT private.opened_at(id), {', '.join(_COLUMNS).replace('closed_at', 'to_timestamp(closed_at)')} "
    "FROM pg_temp.incoming "
    "ON CONFLICT (opened_at, id) DO NOTHING"
)
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


async def _copy(connection: Connection, records: Sequence[DecisionRecord]) -> None:
    try:
        await connection.copy_records_to_table(
            "incoming", schema_name="pg_temp", columns=_COLUMNS, records=map(_VALUES, records)
        )
    except (TypeError, ValueError, OverflowError) as exc:
        # The driver encodes before it sends: a lone surrogate, an integer too large for its column.
        raise StorageError(f"a decision holds a value that its column cannot: {type(exc).__name__}") from exc


class PostgresSink:
    """Writes each record once, however often it is given."""

    name: Final = "postgres"

    def __init__(self, database: Database) -> None:
        self._database = database
        self._settled: frozenset[date] = frozenset()

    async def write(self, records: Sequence[DecisionRecord]) -> None:
        """Store all records or none.

        Raises StorageError if one of them can never be stored (its tenant is gone, a value is out of range),
        DatabaseUnavailableError if the same records may be stored later.
        """
        if not records:
            return
        await self._ensure_partitions({_opened_on(record.id) for record in records})
        # COPY is refused on a table with row-level security, hence the detour over a table of our own.
        async with self._database.transaction(Role.SHIP) as connection:
            await connection.execute("CREATE TEMP TABLE incoming OF private.decision_record ON COMMIT DROP")
            await _copy(connection, records)
            await connection.execute(_INSERT)

    async def write_dead_letter(self, record: bytes, reason: str) -> None:
        """Put aside a record, as JSON, that `write` refused; takes any bytes, so that nothing is ever lost twice.

        `reason` holds no text of a user. Raises StorageError.
        """
        text = record.decode("utf-8", "backslashreplace")
        try:
            document = orjson.loads(text)
        except orjson.JSONDecodeError:
            document, text = None, orjson.dumps(text).decode()
        tenant_id = document.get("tenant_id") if isinstance(document, dict) else None
        async with self._database.transaction(Role.SHIP) as connection:
            await connection.execute(
                "INSERT INTO private.dead_letters (tenant_id, reason, record) VALUES ($1, $2, $3)",
                *(tenant_id if isinstance(tenant_id, int) and tenant_id < 2**63 else None, reason, text),
            )

    async def _ensure_partitions(self, days: set[date]) -> None:
        # In a transaction of its own: attaching locks the default partition, and a batch may be long.
        today = datetime.now(UTC).date()
        missing = (days | {today + timedelta(ahead) for ahead in range(_DAYS_AHEAD + 1)}) - self._settled
        if not missing:
            return
        async with self._database.transaction(Role.SHIP) as connection:
            rows = await connection.fetch("SELECT private.ensure_partitions($1) AS day", sorted(missing))
        self._settled |= {row["day"] for row in rows}


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
                return tuple(_readable(row) for row in reversed(rows))
            rows = await connection.fetch(_AFTER, tenant, limit, _decision_id(after))
            return tuple(_readable(row) for row in rows)

    async def show(self, decision_id: str) -> JsonObject | None:
        """One decision as in `tail`, or None. Raises StorageError if `decision_id` is not a decision's id."""
        async with self._database.transaction(Role.READER) as connection:
            row = await connection.fetchrow(_ONE, _decision_id(decision_id))
        return None if row is None else _readable(row)


def _decision_id(text: str) -> UUID:
    try:
        decision_id = UUID(text)
    except ValueError as exc:
        raise StorageError("a decision's id is a UUID") from exc
    if decision_id.version != 7:
        raise StorageError("a decision's id is a UUID of version 7")
    return decision_id


def _opened_on(decision_id: str) -> date:
    """The day (UTC) inside a UUIDv7. Raises StorageError."""
    try:
        return datetime.fromtimestamp(time_of(str(_decision_id(decision_id))), UTC).date()
    except (ValueError, OverflowError) as exc:
        raise StorageError("a decision's id lies beyond the year 9999") from exc


def _readable(row: Row) -> JsonObject:
    readable = dict(row.items())
    readable["id"] = str(readable["id"])
    for column in _JSON_COLUMNS:
        readable[column] = orjson.loads(readable[column])
    return readable
