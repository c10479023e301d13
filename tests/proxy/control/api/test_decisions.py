from __future__ import annotations

from storage.uuid7 import uuid7
from tests.proxy.control.house import House, refused
from tests.proxy.control.stock import Stock
from tests.storage.conftest import new_record
from tests.storage.stored import ship, with_body


async def test_the_log_is_searched_by_everything_that_it_shows(house: House, stock: Stock) -> None:
    for query in (
        {"action": "block"},
        {"outcome": "blocked_request", "app": stock.app, "action": "block"},
        {"category": "prompt_injection", "rule": "PS-INJ-001", "content": f"hmac:{'5b' * 16}", "action": "block"},
        {"request_id": stock.request_id},
        {"key": str(stock.key), "action": "block"},
        {"policy": stock.tenant, "action": "block", "since": "2020-01-01T00:00:00Z"},
        {"model": stock.model, "action": "block"},
        {"tenant": stock.tenant, "action": "block"},
    ):
        found = await house.do("searchDecisions", query=query)
        assert [row.id for row in found.items] == [stock.decision], query
    all_of_them = await house.do("searchDecisions")
    assert [row.id for row in all_of_them.items] == [stock.decision, stock.quiet_decision, stock.second_review]


async def test_pages_follow_each_other(house: House, stock: Stock) -> None:
    first = await house.do("searchDecisions", query={"limit": "1"})
    second = await house.do("searchDecisions", query={"limit": "1", "after": first.next})
    third = await house.do("searchDecisions", query={"limit": "1", "after": second.next})
    pages = (first, second, third)
    assert [page.items[0].id for page in pages] == [stock.decision, stock.quiet_decision, stock.second_review]
    assert third.next is None


async def test_a_decision_says_why(house: House, stock: Stock) -> None:
    detail = await house.do("readDecision", {"decision": stock.decision})
    assert detail.decision.rules == ["PS-INJ-001"]
    assert detail.findings[0].words == (
        "PS-INJ-001 (patterns) claims prompt_injection with 0.93 in the request, written by user"
        " at /messages/0/content, 2 times: rule 'injection' asks for block."
    )
    assert detail.why[0] == f"By policy {stock.tenant}@sha256:0 (enforce) the action is block."
    assert "Nobody could look at 1 texts of the request: media." in detail.why
    assert detail.coverage[0].receipt["scanned"] == 3


async def test_another_tenants_decisions_are_not_there(house: House, stock: Stock, others_stock: Stock) -> None:
    for operation in ("readDecision", "readDecisionBodies"):
        for decision in (others_stock.decision, uuid7(), "nonsense", "0" * 36):
            with refused(404, "not_found"):
                await house.do(operation, {"decision": decision})
    theirs = (
        {"key": str(others_stock.key)},
        {"request_id": others_stock.request_id},
        {"request_id": others_stock.decision},
        {"model": others_stock.model},
        {"policy": others_stock.tenant},
    )
    for query in theirs:
        assert (await house.do("searchDecisions", query=query)).items == []
    with refused(404, "not_found"):
        await house.do("searchDecisions", query={"tenant": others_stock.tenant})
    with refused(422, field="app"):
        await house.do("searchDecisions", query={"app": others_stock.app})


async def test_a_refusal_names_no_other_tenants_app(house: House, others_stock: Stock) -> None:
    wanted = others_stock.app[:-1]
    with refused(422, field="app") as caught:
        await house.do("searchDecisions", query={"app": wanted})
    assert others_stock.app not in str(caught.value)


async def test_a_cursor_of_another_search_is_refused(house: House, stock: Stock, others_stock: Stock) -> None:
    theirs = await house.do("searchDecisions", query={"limit": "1"}, by=house.admin(house.globex))
    for cursor in (theirs.next, "x", "AAAA"):
        with refused(422, field="after"):
            await house.do("searchDecisions", query={"limit": "1", "after": cursor})


async def test_the_platform_sees_all_or_the_tenant_it_names(house: House, stock: Stock, others_stock: Stock) -> None:
    everybody = await house.do("searchDecisions", query={"limit": "200"}, by=house.chief)
    assert {stock.decision, others_stock.decision} <= {row.id for row in everybody.items}
    one = await house.do("searchDecisions", query={"tenant": others_stock.tenant}, by=house.chief)
    assert {row.tenant for row in one.items} == {others_stock.tenant}


async def test_what_is_wrong_in_a_search_is_named(house: House) -> None:
    for query, field in (
        ({"action": "drop"}, "action"),
        ({"since": "yesterday"}, "since"),
        ({"since": "2026-01-02T00:00:00"}, "since"),
        ({"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}, "since"),
        ({"limit": "201"}, "limit"),
        ({"limit": "0"}, "limit"),
        ({"rule": "a\x00"}, "rule"),
        ({"sort": "tenant_id"}, "sort"),
        ({"key": "99999999999999999999"}, "key"),
        ({"app": "the-cursor"}, "app"),
        ({"until": "9999-12-31T23:59:59-12:00"}, "until"),
    ):
        with refused(422, field=field):
            await house.do("searchDecisions", query=query)


async def test_bodies_are_read_by_those_who_may(house: House, stock: Stock) -> None:
    assert (await house.do("readDecisionBodies", {"decision": stock.decision})).items == []


async def test_a_decision_is_labelled_changed_and_taken_back(house: House) -> None:
    record = new_record(house.acme.id)
    key = await house.parts.data_keys.live(house.acme.id)
    await ship(house.parts.database, with_body(record, key, "a text that is kept"))
    where = {"decision": record.id}
    assert (await house.do("readDecision", where)).label is None
    for label in ("attack", "benign"):
        await house.do("labelDecision", where, body={"label": label})
        said = (await house.do("readDecision", where)).label
        assert (said.label, said.made_by) == (label, "ada")
    await house.do("labelDecision", where, body={"label": "none"})
    assert (await house.do("readDecision", where)).label is None
    events = await house.do("listAuditEvents", query={"action": "labelDecision"})
    assert [event.after["label"] for event in events.items] == ["none", "benign", "attack"]
    with refused(422, field="label"):
        await house.do("labelDecision", where, body={"label": "maybe"})


async def test_a_decision_without_its_text_teaches_nothing(house: House, stock: Stock) -> None:
    with refused(409, "refused"):
        await house.do("labelDecision", {"decision": stock.quiet_decision}, body={"label": "attack"})


async def test_another_tenants_decision_is_not_labelled(house: House, stock: Stock, others_stock: Stock) -> None:
    with refused(404, "not_found"):
        await house.do("labelDecision", {"decision": others_stock.decision}, body={"label": "attack"})
    assert (await house.do("readDecision", {"decision": others_stock.decision}, by=house.chief)).label is None
