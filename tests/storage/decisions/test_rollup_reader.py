"""What dashboards draw, out of rollups."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from storage.decisions.rollup_reader import Dimension, Latency, Point, RollupReader, Share, Span, percentile
from storage.decisions.rollups import BOUNDS, BUCKETS
from storage.decisions.writer import PostgresSink
from storage.postgres import Database
from storage.types import Outcome, Tenant
from tests.storage.conftest import MakeRecord

AT = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


def histogram(**counts: int) -> list[int]:
    return [counts.get(f"b{n}", 0) for n in range(BUCKETS)]


@pytest.mark.parametrize(
    ("counts", "share", "value"),
    [
        (histogram(b0=10), 0.5, 0.125),
        (histogram(b3=10), 0.5, 1.5),
        (histogram(b0=50, b5=50), 0.5, 0.25),
        (histogram(b0=50, b5=50), 0.51, 4.08),
        (histogram(b0=99, b20=1), 0.99, 0.25),
        (histogram(b20=7), 0.99, BOUNDS[-1]),
        (histogram(), 0.5, 0.0),
        (histogram(b4=1), 1.0, 4.0),
    ],
)
def test_a_percentile_lies_in_its_bucket(counts: list[int], share: float, value: float) -> None:
    assert percentile(counts, share) == pytest.approx(value)


@pytest.mark.parametrize(("days", "grain"), [(1, "minute"), (2, "hour"), (8, "hour"), (9, "day"), (400, "day")])
def test_a_graph_has_no_more_points_than_a_screen_has_pixels(days: int, grain: str) -> None:
    assert Span(AT - timedelta(days), AT).grain == grain


@pytest.fixture
async def span(database: Database, tenant: Tenant, make_record: MakeRecord) -> Span:
    """Ten minutes with three decisions: two answered, and one blocked a minute later."""
    later = AT + timedelta(minutes=1)
    spent = '{"spent":{"micros":30}}'
    answered = [
        make_record(tenant.id, AT, model="gpt", prompt_tokens=5, overhead_ms=1.5, facts=spent) for _ in range(2)
    ]
    blocked = make_record(tenant.id, later, model="claude", outcome=Outcome.BLOCKED_REQUEST, overhead_ms=100.0)
    await PostgresSink(database).write([*answered, blocked])
    return Span(AT, AT + timedelta(minutes=10), tenant.id)


@pytest.mark.slow
async def test_a_series_has_the_points_where_there_was_anything(database: Database, span: Span) -> None:
    minute = AT.replace(second=0)
    assert await RollupReader(database).series(span) == (
        Point(minute, 2, 0, 0, 10, 14, 60),
        Point(minute + timedelta(minutes=1), 1, 1, 0, 0, 7),
    )


@pytest.mark.slow
async def test_the_most_frequent_come_first(database: Database, span: Span) -> None:
    reader = RollupReader(database)
    assert await reader.top(span, Dimension.MODEL) == (Share("gpt", 2, 0, 0, 60), Share("claude", 1, 1, 0))
    assert await reader.top(span, Dimension.MODEL, limit=1) == (Share("gpt", 2, 0, 0, 60),)


@pytest.mark.slow
async def test_percentiles_of_a_span(database: Database, span: Span) -> None:
    median, high = await RollupReader(database).percentiles(span, Latency.OVERHEAD, (0.5, 0.99))
    assert 1 <= median <= 2
    assert 64 <= high <= 128


@pytest.mark.slow
async def test_all_tenants_together_are_at_least_one(database: Database, span: Span) -> None:
    everybody = Span(span.since, span.until)
    points = await RollupReader(database).series(everybody)
    assert points[0].decisions >= 2
