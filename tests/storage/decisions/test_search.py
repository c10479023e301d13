"""Search: by everything it offers, newest first, a page at a time, in no more partitions than it takes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from detectors.errors import StorageError
from storage.decisions.conditions import DecisionFilter
from storage.decisions.search import DecisionSearch, search_statement, windows
from storage.decisions.writer import PostgresSink
from storage.postgres import Database
from storage.types import DecisionRecord, Outcome, Role, Tenant
from storage.uuid7 import uuid7
from tests.storage.conftest import MakeRecord, RunStatement

pytestmark = pytest.mark.slow

NOW = datetime.now(UTC)


def scores(*findings: tuple[str, str, str]) -> str:
    return orjson.dumps(
        [{"rule": r, "category": c, "content": f"hmac:{h}", "count": 1} for r, c, h in findings]
    ).decode()


@pytest.fixture
def search(database: Database) -> DecisionSearch:
    return DecisionSearch(database)


async def found(search: DecisionSearch, tenant: Tenant, **conditions: Any) -> list[str]:
    return [row["id"] for row in (await search.page(DecisionFilter(tenant=tenant.slug, **conditions))).rows]


@pytest.fixture
async def records(database: Database, tenant: Tenant, make_record: MakeRecord) -> list[DecisionRecord]:
    """Five decisions, the newest first: 0, 2 hours, 2, 20 and 200 days old."""
    ages = [timedelta(), timedelta(hours=2), timedelta(days=2), timedelta(days=20), timedelta(days=200)]
    fields: list[dict[str, object]] = [
        {"action": "block", "outcome": Outcome.BLOCKED_REQUEST, "request_id": "mine"},
        {"scores": scores(("PS-PII-001", "pii", "a" * 32), ("PS-INJ-001", "jailbreak", "b" * 32))},
        {"model": "claude", "request_id": uuid7()},
        {"scores": scores(("PS-INJ-001", "prompt_injection", "c" * 32)), "action": "allow"},
        {"category": "", "action": "allow"},
    ]
    made = [make_record(tenant.id, NOW - age, **given) for age, given in zip(ages, fields, strict=True)]
    await PostgresSink(database).write(made[::-1])
    return made


SEARCHES: dict[str, tuple[dict[str, Any], list[int]]] = {
    "everything": ({}, [0, 1, 2, 3, 4]),
    "action": ({"action": "block"}, [0]),
    "an ordinary action": ({"action": "allow"}, [3, 4]),
    "outcome": ({"outcome": "blocked_request"}, [0]),
    "model": ({"model": "claude"}, [2]),
    "request id": ({"request_id": "mine"}, [0]),
    "rule": ({"rule": "PS-INJ-001"}, [1, 3]),
    "category of any finding": ({"category": "jailbreak"}, [1]),
    "content": ({"content": "hmac:" + "b" * 32}, [1]),
    "content without its prefix": ({"content": "c" * 32}, [3]),
    "rule and category of one finding": ({"rule": "PS-INJ-001", "category": "pii"}, []),
    "a category's name as a rule": ({"rule": "pii"}, []),
    "since": ({"since": NOW - timedelta(days=3)}, [0, 1, 2]),
    "until": ({"until": NOW - timedelta(days=3)}, [3, 4]),
    "since and until": ({"since": NOW - timedelta(days=30), "until": NOW - timedelta(hours=1)}, [1, 2, 3]),
    "a range without any": ({"since": NOW - timedelta(days=10), "until": NOW - timedelta(days=5)}, []),
}


@pytest.mark.parametrize(("conditions", "wanted"), SEARCHES.values(), ids=SEARCHES.keys())
async def test_a_search_finds_what_holds(
    search: DecisionSearch, tenant: Tenant, records: list[DecisionRecord], conditions: dict[str, Any], wanted: list[int]
) -> None:
    assert await found(search, tenant, **conditions) == [records[n].id for n in wanted]


async def test_a_request_id_of_ours_and_one_that_looks_like_it_are_found(
    search: DecisionSearch, tenant: Tenant, records: list[DecisionRecord], database: Database, make_record: MakeRecord
) -> None:
    own = uuid7()
    await PostgresSink(database).write([make_record(tenant.id, request_id=own, id=own)])
    assert await found(search, tenant, request_id=own) == [own]
    assert await found(search, tenant, request_id=records[2].request_id) == [records[2].id]


async def test_an_app_is_found_by_its_name(
    search: DecisionSearch, database: Database, tenant: Tenant, make_record: MakeRecord, as_superuser: RunStatement
) -> None:
    ((app_id,),) = await as_superuser("SELECT id FROM public.apps WHERE tenant_id = $1", tenant.id)
    record = make_record(tenant.id, app_id=app_id)
    await PostgresSink(database).write([record, make_record(tenant.id)])
    assert await found(search, tenant, app="default") == [record.id]


@pytest.mark.parametrize(
    ("conditions", "problem"),
    [
        ({"tenant": "nobody"}, "there is no tenant 'nobody'"),
        ({"app": "defalt"}, "there is no app 'defalt' \\(did you mean 'default'\\?\\)"),
        ({"content": "hmac:xyz"}, "a content hash is hmac: and 32"),
    ],
)
async def test_a_condition_that_nothing_can_fulfil_is_told(
    search: DecisionSearch, tenant: Tenant, conditions: dict[str, Any], problem: str
) -> None:
    with pytest.raises(StorageError, match=problem):
        await search.page(DecisionFilter(**conditions))


async def test_pages_follow_each_other_without_gap_or_overlap(
    search: DecisionSearch, database: Database, tenant: Tenant, make_record: MakeRecord
) -> None:
    at = NOW - timedelta(days=1)
    made = [make_record(tenant.id, at + timedelta(hours=n // 3)) for n in range(11)]  # three of each time
    await PostgresSink(database).write(made)
    wanted, seen, cursor = DecisionFilter(tenant=tenant.slug), list[str](), None
    while True:
        page = await search.page(wanted, 2, cursor)
        seen += [row["id"] for row in page.rows]
        cursor = page.cursor
        if cursor is None:
            break
    assert seen == sorted((record.id for record in made), key=lambda i: (i[:13], i), reverse=True)


async def test_an_export_is_everything_that_a_search_finds(
    search: DecisionSearch, tenant: Tenant, records: list[DecisionRecord]
) -> None:
    rows = [row async for row in search.export(DecisionFilter(tenant=tenant.slug), page=2)]
    assert [row["id"] for row in rows] == [record.id for record in records]
    assert (rows[0]["tenant"], rows[0]["scores"], rows[0]["app"]) == (tenant.slug, [], None)


async def test_a_row_of_a_wrong_clock_is_found_first(
    search: DecisionSearch, database: Database, tenant: Tenant, make_record: MakeRecord, records: list[DecisionRecord]
) -> None:
    future = make_record(tenant.id, datetime(2099, 1, 1, tzinfo=UTC))
    await PostgresSink(database).write([future])
    assert (await found(search, tenant))[:2] == [future.id, records[0].id]


async def test_the_newest_are_found_in_the_newest_partitions(database: Database, as_superuser: RunStatement) -> None:
    for back in range(5, 12):
        await as_superuser("SELECT private.create_partition($1)", (NOW - timedelta(back)).date())
    first = next(windows(DecisionFilter(), None, NOW))
    sql, values = search_statement([*first], 20)
    async with database.transaction(Role.READER) as connection:
        plan = "\n".join(row["QUERY PLAN"] for row in await connection.fetch(f"EXPLAIN {sql}", *values))
    assert f"decisions_{NOW - timedelta(7):%Y%m%d}" not in plan
    assert "decisions_default" in plan  # where the rows of wrong clocks are
