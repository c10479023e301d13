"""What dashboards draw, out of the rollups alone: rates, shares, the most frequent, percentiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from storage.decisions.rollups import BOUNDS, BUCKETS
from storage.postgres import Database
from storage.types import Role

# The finest grain that still gives a graph fewer points than a screen has pixels.
_MINUTES_UP_TO: Final = timedelta(hours=24)
_HOURS_UP_TO: Final = timedelta(days=8)
MINUTES_KEPT: Final = timedelta(days=34)  # the database forgets them in the hours after day 35


class Dimension(StrEnum):
    APP = "app"
    MODEL = "model"
    OUTCOME = "outcome"
    ACTION = "action"
    CATEGORY = "category"


class Latency(StrEnum):
    OVERHEAD = "overhead"
    UPSTREAM = "upstream"
    TOTAL = "total"


@dataclass(frozen=True, slots=True)
class Span:
    """From `since` until before `until`, from the start of a minute, hour or day; of one tenant, or of all.

    `by_minutes`: whether minutes may be asked for.
    """

    since: datetime
    until: datetime
    tenant_id: int | None = None
    by_minutes: bool = True

    @property
    def grain(self) -> str:
        length = self.until - self.since
        if length <= _MINUTES_UP_TO and self.by_minutes:
            return "minute"
        return "hour" if length <= _HOURS_UP_TO else "day"


@dataclass(frozen=True, slots=True)
class Point:
    """One minute, hour or day. `blocked` are of both directions, `failed` our own and the upstream's errors.

    `cost_micros` is what answers cost, in millionths of a US dollar.
    """

    at: datetime
    decisions: int
    blocked: int
    failed: int
    prompt_tokens: int
    completion_tokens: int
    cost_micros: int = 0


@dataclass(frozen=True, slots=True)
class Share:
    """How many decisions have `value` (an app's id, a model's name) in the dimension, and what became of them."""

    value: str
    decisions: int
    blocked: int
    failed: int
    cost_micros: int = 0


_SUMS: Final = ", ".join(f"sum({name})::bigint AS {name}" for name in ("decisions", "blocked", "failed", "cost_micros"))


class RollupReader:
    """Reads as the platform; `database` may be a replica."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def series(self, span: Span) -> tuple[Point, ...]:
        """The points of `span` in which there was anything, oldest first."""
        sql, values = series_statement(span)
        async with self._database.transaction(Role.READER) as connection:
            rows = await connection.fetch(sql, *values)
        return tuple(Point(**dict(row.items())) for row in rows)

    async def top(self, span: Span, dimension: Dimension, limit: int = 10) -> tuple[Share, ...]:
        """The most frequent values, most frequent first; counted over whole hours or days."""
        sql, values = top_statement(span, dimension, limit)
        async with self._database.transaction(Role.READER) as connection:
            rows = await connection.fetch(sql, *values)
        return tuple(Share(**dict(row.items())) for row in rows)

    async def percentiles(self, span: Span, latency: Latency, shares: Sequence[float]) -> tuple[float, ...]:
        """Milliseconds that each share (0-1) of the decisions stayed below, about; 0 if there were none."""
        sql, values = histogram_statement(span, latency)
        async with self._database.transaction(Role.READER) as connection:
            row = await connection.fetchval(sql, *values)
        return tuple(percentile(row, share) for share in shares)


def series_statement(span: Span) -> tuple[str, list[object]]:
    where, values = _where(span, span.grain, "all")
    sql = (
        f"SELECT at, {_SUMS},"  # noqa: S608 - names of ours
        " sum(prompt_tokens)::bigint AS prompt_tokens, sum(completion_tokens)::bigint AS completion_tokens"
        f" FROM public.rollups WHERE {where} GROUP BY at ORDER BY at"
    )
    return sql, values


def top_statement(span: Span, dimension: Dimension, limit: int) -> tuple[str, list[object]]:
    where, values = _where(span, "hour" if span.grain == "minute" else span.grain, dimension)
    sql = (
        f"SELECT value, {_SUMS} FROM public.rollups"  # noqa: S608 - names of ours
        f" WHERE {where} GROUP BY value ORDER BY sum(decisions) DESC, value LIMIT {limit}"
    )
    return sql, values


def histogram_statement(span: Span, latency: Latency) -> tuple[str, list[object]]:
    where, values = _where(span, span.grain, "all")
    sums = ", ".join(f"coalesce(sum({latency}[{n}]), 0)::bigint" for n in range(1, BUCKETS + 1))
    return f"SELECT ARRAY[{sums}] FROM public.rollups WHERE {where}", values  # noqa: S608 - names of ours


def percentile(histogram: Sequence[int], share: float) -> float:
    """The value below which `share` of the counts lie, straight through a bucket; of the last, its lower end."""
    wanted, below = share * sum(histogram), 0
    for number, count in enumerate(histogram):
        if count and below + count >= wanted:
            lower = BOUNDS[number - 1] if number else 0.0
            upper = BOUNDS[number] if number < len(BOUNDS) else lower
            return lower + (upper - lower) * (wanted - below) / count
        below += count
    return 0.0


def _where(span: Span, grain: str, dimension: str) -> tuple[str, list[object]]:
    where = "grain = $1 AND dimension = $2 AND at >= date_trunc($1, $3::timestamptz, 'UTC') AND at < $4"
    values: list[object] = [grain, dimension, span.since, span.until]
    if span.tenant_id is None:
        return where, values
    return f"{where} AND tenant_id = $5", [*values, span.tenant_id]
