from __future__ import annotations

from datetime import UTC, datetime, timedelta

from storage.types import Role
from tests.proxy.control.house import House, refused
from tests.proxy.control.stock import Stock
from tests.storage.conftest import new_record
from tests.storage.stored import ship


async def test_usage_is_summed_and_told_apart(house: House, stock: Stock, others_stock: Stock) -> None:
    usage = await house.do("readUsage")
    assert (usage.total.decisions, usage.total.blocked, usage.total.prompt_tokens) == (3, 2, 40)
    assert [(share.value, share.decisions) for share in usage.shares] == [(stock.app, 3)]
    for by, values in (("model", {stock.model}), ("tenant", {stock.tenant}), ("action", {"block", "allow", "mask"})):
        assert {share.value for share in (await house.do("readUsage", query={"by": by})).shares} == values
    assert sum(point.decisions for point in usage.series) == 3


async def test_the_series_of_one_app_or_model(house: House, stock: Stock, others_stock: Stock) -> None:
    for by, value, count in (
        ("app", stock.app, 3), ("model", stock.model, 3), ("action", "block", 1), ("app", others_stock.app, 0),
        ("model", others_stock.model, 0), ("app", "not-there", 0),
    ):  # fmt: skip
        usage = await house.do("readUsage", query={"by": by, "value": value})
        assert sum(point.decisions for point in usage.series) == count
    with refused(422, field="value"):
        await house.do("readUsage", query={"by": "tenant", "value": stock.tenant})


async def test_the_platform_has_all_tenants_beside_each_other(house: House, stock: Stock, others_stock: Stock) -> None:
    usage = await house.do("readUsage", query={"by": "tenant", "limit": "200"}, by=house.chief)
    assert {stock.tenant, others_stock.tenant} <= {share.value for share in usage.shares}
    one = await house.do("readUsage", query={"tenant": stock.tenant}, by=house.chief)
    assert one.total.decisions == 3


async def test_another_tenants_usage_is_not_to_be_had(house: House, others_stock: Stock) -> None:
    assert (await house.do("readUsage")).total.decisions == 0
    with refused(404):
        await house.do("readUsage", query={"tenant": others_stock.tenant})


async def test_a_span_has_an_end(house: House) -> None:
    for query in (
        {"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"},
        {"since": "2020-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"},
    ):
        with refused(422, field="since"):
            await house.do("readUsage", query=query)
    with refused(422, field="until"):
        await house.do("readUsage", query={"until": "0001-01-01T00:00:00Z"})


async def test_a_day_whose_minutes_are_forgotten_has_its_hours(house: House) -> None:
    at = datetime.now(UTC) - timedelta(days=60)
    await ship(house.parts.database, new_record(house.acme.id, at, prompt_tokens=40))
    async with house.parts.database.transaction(Role.SHIP) as connection:
        assert await connection.fetchval("SELECT private.expire_rollups(1000000)")
    day = at.replace(hour=0, minute=0, second=0, microsecond=0)
    usage = await house.do("readUsage", query={"since": day, "until": day + timedelta(days=1)})
    assert usage.grain == "hour"
    assert (usage.total.decisions, usage.total.prompt_tokens) == (1, 40)
    assert [point.decisions for point in usage.series] == [share.decisions for share in usage.shares] == [1]
    assert all(latency.p99 for latency in usage.latencies)


async def test_all_of_an_answer_is_of_the_same_time(house: House) -> None:
    at = (datetime.now(UTC) - timedelta(hours=3)).replace(minute=5, second=0, microsecond=0)
    records = [new_record(house.acme.id, moment) for moment in (at, at + timedelta(minutes=30))]
    await ship(house.parts.database, *records)
    half = {"since": at + timedelta(minutes=20), "until": at + timedelta(minutes=50)}
    wanted = (("app", "minute", 1), ("tenant", "minute", 1), ("model", "hour", 2), ("action", "hour", 2))
    for by, grain, count in wanted:
        usage = await house.do("readUsage", query=half | {"by": by})
        assert usage.grain == grain
        counts = (usage.total.decisions, sum(x.decisions for x in usage.series), sum(x.decisions for x in usage.shares))
        assert counts == (count, count, count)
