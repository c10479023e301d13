"""Usage in sums that are told apart, out of the rollups alone: by tenant, app, model and what became of requests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from storage.decisions.rollup_reader import Span
from storage.decisions.rollups import COUNTERS
from storage.postgres import Connection, Database, Row
from storage.types import Role

GROUPINGS: Final = ("tenant", "app", "model", "outcome", "action", "category")
_COUNTERS: Final = tuple(name for name in COUNTERS if not name.endswith("_ms"))


@dataclass(frozen=True, slots=True)
class UsageSums:
    """`value` is a tenant's slug, an app's name, a model and the like. `cost_micros` is millionths of a dollar."""

    value: str
    decisions: int
    blocked: int
    failed: int
    prompt_tokens: int
    completion_tokens: int
    cost_micros: int = 0


class UsageReader:
    """Reads as the platform; with a `tenant_id` as that tenant, to whom the database shows nobody else's sums."""

    def __init__(self, database: Database, tenant_id: int | None = None) -> None:
        self._database, self._tenant_id = database, tenant_id
        self._role = Role.READER if tenant_id is None else Role.APP

    async def total(self, span: Span) -> UsageSums:
        sql, values = usage_statement(span, "total", 1)
        async with self._database.transaction(self._role, self._tenant_id) as connection:
            rows = await connection.fetch(sql, *values)
        return _sums(rows[0], "") if rows else UsageSums("", **dict.fromkeys(_COUNTERS, 0))

    async def series(self, span: Span, by: str, value: str) -> tuple[tuple[datetime, UsageSums], ...]:
        """Return the hours or days in which there was anything of one app, model or the like, oldest first.

        Of an app that is not there, nothing.
        """
        async with self._database.transaction(self._role, self._tenant_id) as connection:
            wanted = await _ids_of_apps(connection, value, span.tenant_id) if by == "app" else [value]
            sql, values = usage_series_statement(span, by, wanted)
            rows = await connection.fetch(sql, *values)
        return tuple((row["at"], _sums(row, value)) for row in rows)

    async def shares(self, span: Span, by: str, limit: int) -> tuple[UsageSums, ...]:
        """Return the most frequent values of one grouping, most frequent first."""
        sql, values = usage_statement(span, by, limit)
        async with self._database.transaction(self._role, self._tenant_id) as connection:
            rows = await connection.fetch(sql, *values)
            names = await _names(connection, by, [row["value"] for row in rows])
        return tuple(_sums(row, names.get(row["value"], row["value"])) for row in rows)


def usage_statement(span: Span, by: str, limit: int) -> tuple[str, list[object]]:
    """Return the SQL of sums over a span, and its parameters."""
    sums = ", ".join(f"coalesce(sum({name}), 0)::bigint AS {name}" for name in _COUNTERS)
    dimension = by if by in GROUPINGS[1:] else "all"
    grain = "hour" if span.grain == "minute" and dimension not in {"all", "app"} else span.grain
    value = "tenant_id::text" if by == "tenant" else "''" if by == "total" else "value"
    where = "grain = $1 AND dimension = $2 AND at >= date_trunc($1, $3::timestamptz, 'UTC') AND at < $4"
    values: list[object] = [grain, dimension, span.since, span.until]
    if span.tenant_id is not None:
        where, values = f"{where} AND tenant_id = $5", [*values, span.tenant_id]
    sql = (
        f"SELECT {value} AS value, {sums} FROM public.rollups WHERE {where}"  # noqa: S608 - names of ours
        f" GROUP BY 1 ORDER BY sum(decisions) DESC, 1 LIMIT {limit}"
    )
    return sql, values


def usage_series_statement(span: Span, by: str, wanted: list[str]) -> tuple[str, list[object]]:
    """Return the SQL of the points of some values of one grouping, and its parameters."""
    sums = ", ".join(f"coalesce(sum({name}), 0)::bigint AS {name}" for name in _COUNTERS)
    grain = "hour" if span.grain == "minute" and by != "app" else span.grain
    where = "grain = $1 AND dimension = $2 AND at >= date_trunc($1, $3::timestamptz, 'UTC') AND at < $4"
    values: list[object] = [grain, by, span.since, span.until, wanted]
    if span.tenant_id is not None:
        where, values = f"{where} AND tenant_id = $6", [*values, span.tenant_id]
    sql = (
        f"SELECT at, {sums} FROM public.rollups WHERE {where} AND value = ANY ($5)"  # noqa: S608 - names of ours
        " GROUP BY at ORDER BY at"
    )
    return sql, values


async def _ids_of_apps(connection: Connection, name: str, tenant_id: int | None) -> list[str]:
    sql = "SELECT id::text AS id FROM public.apps WHERE name = $1 AND ($2::bigint IS NULL OR tenant_id = $2)"
    return [row["id"] for row in await connection.fetch(sql, name, tenant_id)]


async def _names(connection: Connection, by: str, ids: list[str]) -> dict[str, str]:
    """Return what people call tenants and apps, by their ids."""
    if by not in {"tenant", "app"} or not ids:
        return {}
    table, name = ("public.tenants", "slug") if by == "tenant" else ("public.apps", "name")
    rows = await connection.fetch(
        f"SELECT id::text AS id, {name} AS name FROM {table} WHERE id = ANY ($1::bigint[])",  # noqa: S608 - likewise
        [int(one) for one in ids],
    )
    return {row["id"]: row["name"] for row in rows}


def _sums(row: Row, value: str) -> UsageSums:
    return UsageSums(value, **{name: row[name] for name in _COUNTERS})
