from __future__ import annotations

from datetime import UTC, datetime, timedelta

from aiohttp import web
from aiohttp.test_utils import TestClient

from detectors.errors import OperationError
from proxy.control.answers.decisions import DecisionList
from tests.proxy.control.console.conftest import Stage

Console = TestClient[web.Request, web.Application]


async def test_what_the_form_has_becomes_the_query_and_empty_fields_say_nothing(console: Console, stage: Stage) -> None:
    given = {"action": "block", "rule": " PS-INJ-001 ", "app": "", "period": "7d", "after": "abc", "tenant": "acme"}
    await console.get("/console/decisions", params=given)
    query = stage.asked[-1][2]
    assert query.items() >= {"action": "block", "rule": "PS-INJ-001", "after": "abc", "tenant": "acme"}.items()
    assert "app" not in query
    assert abs(datetime.now(UTC) - query["since"] - timedelta(days=7)) < timedelta(minutes=1)


async def test_a_browser_s_times_are_utc(console: Console, stage: Stage) -> None:
    await console.get("/console/decisions", params={"since": "2026-03-01T10:00", "until": "2026-03-02T10:00"})
    query = stage.asked[-1][2]
    assert query["since"] == "2026-03-01T10:00:00+00:00"
    assert query["until"] == "2026-03-02T10:00:00+00:00"


async def test_an_unknown_period_is_the_usual_one(console: Console, stage: Stage) -> None:
    await console.get("/console/decisions", params={"period": "9y"})
    assert abs(datetime.now(UTC) - stage.asked[-1][2]["since"] - timedelta(days=1)) < timedelta(minutes=1)


async def test_a_page_that_has_no_end_of_time_to_offer_shows_the_usual_period(console: Console, stage: Stage) -> None:
    for path, days in (("/console", 1), ("/console/usage", 7)):
        answer = await console.get(path, params={"period": "any"})
        assert answer.status == 200
        since = next(query["since"] for name, _, query, _ in reversed(stage.asked) if name == "readUsage")
        assert abs(datetime.now(UTC) - since - timedelta(days=days)) < timedelta(minutes=1)


async def test_an_id_is_looked_for_however_old_it_is(console: Console, stage: Stage) -> None:
    await console.get("/console/decisions", params={"request_id": "req-1"})
    assert "since" not in stage.asked[-1][2]


async def test_the_one_decision_of_an_id_is_gone_to(console: Console, stage: Stage) -> None:
    stage.fixed["request_id"] = "req-1"
    answer = await console.get("/console/decisions", params={"request_id": "req-1"}, allow_redirects=False)
    assert answer.headers["Location"] == "/console/decisions/plain"


async def test_a_wrong_condition_stands_beside_its_field(console: Console, stage: Stage) -> None:
    stage.answers["searchDecisions"] = OperationError(422, "invalid_field", "should be a number", "key")
    text = await (await console.get("/console/decisions", params={"key": "many"})).text()
    assert 'name="key" value="many"' in text
    assert "key: should be a number" in text
    assert "Nothing was looked for" in text


async def test_a_further_page_keeps_the_conditions(console: Console, stage: Stage) -> None:
    text = await (await console.get("/console/decisions", params={"action": "block", "period": "7d"})).text()
    assert 'rel="next" href="/console/decisions?after=plain&amp;action=block&amp;period=7d"' in text


async def test_nothing_found_says_what_to_do(console: Console, stage: Stage) -> None:
    stage.answers["searchDecisions"] = DecisionList(items=[], next=None)
    assert "No requests in this time" in await (await console.get("/console/decisions")).text()
    assert "Nothing matches" in await (await console.get("/console/decisions", params={"rule": "X"})).text()
