"""`python -m tests.bench.store_queries --rows N`: every query of dashboards and search over N decisions of thirty days.

Fills a private database, then asks as the product asks: the best of three (what a dashboard reads again and again is in
memory), the time beside the bar, and the first lines of the plan of its longest look.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from storage.decisions.conditions import DecisionFilter, conditions_of
from storage.decisions.rollup_reader import (
    Dimension,
    Latency,
    RollupReader,
    Span,
    histogram_statement,
    series_statement,
    top_statement,
)
from storage.decisions.search import DecisionSearch, search_statement, windows
from storage.embedded import EmbeddedEngines, EnginePasswords, EngineUrls
from storage.migrate import migrate
from storage.postgres import Database, Session
from storage.types import Role
from tests.bench.store_rows import Owners, fill, make_owners

BAR_MS: Final = 100.0
PLAN_LINES: Final = 5
PAGE: Final = 50
Statement = tuple[str, Sequence[object]]


class Asked:
    """Times queries and shows how the database went about them."""

    def __init__(self, database: Database, plan_lines: int) -> None:
        self._database, self._plan_lines = database, plan_lines
        self.slow: list[str] = []

    async def ask(self, name: str, query: Callable[[], Awaitable[object]], looks: Sequence[Statement]) -> None:
        best = float("inf")
        for _ in range(3):
            started = time.perf_counter()
            await query()
            best = min(best, (time.perf_counter() - started) * 1000)
        held = best <= BAR_MS
        self.slow += [] if held else [name]
        print(f"{best:8.1f} ms  {'ok  ' if held else 'SLOW'}  {name}", flush=True)
        for line in (await self._longest(looks))[: self._plan_lines]:
            print(f"               {line[:150]}")

    async def _longest(self, looks: Sequence[Statement]) -> list[str]:
        """The plan of the look that takes longest, its time first."""
        plans = []
        async with self._database.transaction(Role.READER) as connection:
            for sql, values in looks:
                rows = await connection.fetch(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, BUFFERS OFF) {sql}", *values)
                *plan, took = [row["QUERY PLAN"] for row in rows]
                plans.append((float(took.split()[-2]), plan))
        took_longest, plan = max(plans)
        # What stands above LIMIT only adds names to the few rows that are left.
        start = next((number for number, line in enumerate(plan) if "Limit" in line), 0)
        return [f"{took_longest:.1f} ms of execution", *plan[start:]]


@contextmanager
def private_postgres() -> Iterator[EngineUrls]:
    with private_engines("postgres") as urls:
        yield urls


@contextmanager
def private_engines(*wanted: str) -> Iterator[EngineUrls]:
    with tempfile.TemporaryDirectory(prefix="ps-bench-", ignore_cleanup_errors=True) as name:
        data = Path(name)
        data.chmod(0o755)  # the engine's account must be able to reach its folder
        engines = EmbeddedEngines(data, EnginePasswords("owner-bench", "login-bench", "valkey"), wanted=wanted)
        try:
            yield engines.start()
        finally:
            engines.stop()


@asynccontextmanager
async def bench_database(rows: int) -> AsyncIterator[tuple[Database, Owners]]:
    """A private server with `rows` decisions; it goes when the body is done."""
    with private_postgres() as urls:
        await migrate(urls.database_owner_url, urlsplit(urls.database_url).username or "")
        owners = await make_owners(urls.database_owner_url)
        started = time.perf_counter()
        await fill(urls.database_owner_url, rows, owners, lambda line: print(f"  {line}", file=sys.stderr))
        print(f"{rows} rows stored in {time.perf_counter() - started:.0f} s; {await sizes(urls.database_owner_url)}")
        database = await Database.connect(urls.database_url, size=1)
        yield database, owners
        await database.close()


async def sizes(owner_url: str) -> str:
    async with Session.open(owner_url) as session, session.transaction() as connection:
        rows = await connection.fetch(
            "SELECT coalesce(inhparent, oid)::regclass::text AS name, sum(reltuples)::bigint AS rows,"
            " pg_size_pretty(sum(pg_table_size(oid))) AS heap, pg_size_pretty(sum(pg_indexes_size(oid))) AS indexes"
            " FROM pg_class LEFT JOIN pg_inherits ON inhrelid = oid WHERE relkind = 'r' AND coalesce(inhparent, oid)"
            " IN ('public.decisions'::regclass, 'public.rollups'::regclass)"
            " GROUP BY 1 ORDER BY 1"
        )
    return ", ".join(f"{r['name']}: {r['rows']} rows, {r['heap']} + {r['indexes']} of indexes" for r in rows)


async def ask_dashboards(asked: Asked, database: Database, owners: Owners) -> None:
    reader, now = RollupReader(database), datetime.now(UTC)
    for owner in (None, owners.tenants[0]):
        whose = "platform" if owner is None else "a tenant"
        for length in (timedelta(hours=24), timedelta(days=7), timedelta(days=30)):
            span = Span(now - length, now, owner)
            told = f"{whose}, {length.days or 1} days by {span.grain}"
            await asked.ask(f"rates: {told}", partial(reader.series, span), [series_statement(span)])
            await asked.ask(
                f"top models: {told}",
                partial(reader.top, span, Dimension.MODEL),
                [top_statement(span, Dimension.MODEL, 10)],
            )
            await asked.ask(
                f"percentiles: {told}",
                partial(reader.percentiles, span, Latency.OVERHEAD, (0.5, 0.95, 0.99)),
                [histogram_statement(span, Latency.OVERHEAD)],
            )


def searches(sample: dict[str, str]) -> dict[str, DecisionFilter]:
    now = datetime.now(UTC)
    big, small = DecisionFilter(tenant="bench-0"), DecisionFilter(tenant="bench-19")
    rare_rule, common_rule = DecisionFilter(rule="PS-RARE-001"), DecisionFilter(rule="PS-INJ-7")
    return {
        "newest": DecisionFilter(),
        "newest of a large tenant": big,
        "newest of a small tenant": small,
        "of an app": replace(big, app="search"),
        "of an app, twenty days ago": replace(big, app="search", until=now - timedelta(days=20)),
        "blocked": DecisionFilter(action="block"),
        "blocked, of a small tenant": replace(small, action="block"),
        "failed upstream": replace(big, outcome="upstream_error"),
        "by a common rule": common_rule,
        "by a rare rule": rare_rule,
        "by a rule that never hit": DecisionFilter(rule="PS-NONE-000"),
        "by a rare rule, of a small tenant": replace(rare_rule, tenant="bench-19"),
        "by a category": DecisionFilter(category="prompt_injection"),
        "by a category, of a small tenant": replace(small, category="prompt_injection"),
        "by a content hash": DecisionFilter(content=sample["content"]),
        "by a request id of the client's": DecisionFilter(request_id=sample["theirs"]),
        "by a request id of ours": DecisionFilter(request_id=sample["ours"]),
        "by a common model": replace(big, model="model-3"),
        "by a rare model": DecisionFilter(model="rare-model"),
        "two days, three weeks ago": DecisionFilter(since=now - timedelta(days=23), until=now - timedelta(days=21)),
    }


async def ask_searches(asked: Asked, database: Database, sample: dict[str, str]) -> None:
    search = DecisionSearch(database)
    for name, wanted in searches(sample).items():
        await asked.ask(name, partial(search.page, wanted, PAGE), await looks_of(database, wanted))
    page = await search.page(DecisionFilter(action="block"), PAGE)
    await asked.ask(
        "blocked, second page",
        partial(search.page, DecisionFilter(action="block"), PAGE, page.cursor),
        await looks_of(database, DecisionFilter(action="block")),
    )


async def looks_of(database: Database, wanted: DecisionFilter) -> list[Statement]:
    """The looks that a search may take, as if each found nothing."""
    async with database.transaction(Role.READER) as connection:
        conditions = await conditions_of(connection, wanted)
    return [search_statement([*conditions, *window], PAGE) for window in windows(wanted, None, datetime.now(UTC))]


async def draw_sample(database: Database) -> dict[str, str]:
    async with database.transaction(Role.READER) as connection:
        row = await connection.fetchrow(
            "SELECT scores #>> '{0,content}' AS content, (SELECT request_id FROM public.decisions"
            " WHERE request_id <> id::text LIMIT 1) AS theirs, (SELECT id::text FROM public.decisions LIMIT 1) AS ours"
            " FROM public.decisions WHERE scores <> '[]' LIMIT 1"
        )
    assert row is not None
    return dict(row.items())


async def run(rows: int, plan_lines: int) -> int:
    async with bench_database(rows) as (database, owners):
        asked = Asked(database, plan_lines)
        await ask_dashboards(asked, database, owners)
        await ask_searches(asked, database, await draw_sample(database))
    print(f"{len(asked.slow)} over the bar of {BAR_MS:.0f} ms{': ' if asked.slow else ''}{', '.join(asked.slow)}")
    return 1 if asked.slow else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--plans", type=int, default=PLAN_LINES, help="lines of each plan")
    options = parser.parse_args()
    return asyncio.run(run(options.rows, options.plans))


if __name__ == "__main__":
    sys.exit(main())
