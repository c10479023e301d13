from __future__ import annotations

from storage.incidents import IncidentStore, Sign
from tests.proxy.control.house import House, refused
from tests.proxy.control.stock import Stock


async def test_an_incident_is_worked_on_until_it_is_closed(house: House, stock: Stock) -> None:
    one = {"incident": str(stock.incident)}
    body = {
        "status": "investigating",
        "assignee": "grace",
        "note": "looking at it",
        "decisions": [stock.quiet_decision],
    }
    detail = await house.do("changeIncident", one, body=body)
    assert (detail.incident.status, detail.incident.assignee, detail.incident.decisions) == (
        "investigating",
        "grace",
        2,
    )
    assert [(event.event, event.text) for event in detail.timeline][1:] == [
        ("status", "open -> investigating"),
        ("assignee", "- -> grace"),
        ("note", "looking at it"),
        ("decisions", "1 linked"),
    ]
    closed = await house.do("changeIncident", one, body={"status": "resolved"})
    assert closed.incident.closed_at is not None
    assert (await house.do("changeIncident", one, body={"status": "open"})).incident.closed_at is None


async def test_whoever_writes_a_note_undoes_nothing_that_others_did_meanwhile(house: House, stock: Stock) -> None:
    store = IncidentStore(house.parts.database)
    seen = await store.find(stock.incident, house.acme.id)
    assert seen is not None
    await store.change(seen, "ada", {"status": "resolved", "assignee": "ada"}, None, ())
    await store.change(seen, "grace", {}, "looks harmless", ())
    now = await store.find(stock.incident, house.acme.id)
    assert now is not None
    assert (now.status, now.assignee, now.closed_at is None) == ("resolved", "ada", False)


async def test_of_one_sign_no_two_incidents_are_open(house: House, stock: Stock) -> None:
    store, sign = IncidentStore(house.parts.database), Sign(house.acme.id, "block_spike", "", "9 blocks", "high")
    first = await store.open(sign, "promptshield")
    assert first is not None
    one = {"incident": str(first[0])}
    await house.do("changeIncident", one, body={"status": "resolved"})
    second = await store.open(sign, "promptshield")
    assert second is not None
    with refused(409) as caught:
        await house.do("changeIncident", one, body={"status": "open"})
    assert f"incident {second[0]} is open for the same sign" in str(caught.value)


async def test_an_incident_is_opened_by_hand(house: House, stock: Stock) -> None:
    body = {"title": "a strange prompt", "severity": "high", "decisions": [stock.decision]}
    made = await house.do("openIncident", {"tenant": house.acme.slug}, body=body)
    assert (made.incident.rule, made.decisions) == ("manual", [stock.decision])
    listed = await house.do("listIncidents", query={"severity": "high"})
    assert [incident.id for incident in listed.items] == [made.incident.id]
    page = await house.do("listIncidents", query={"limit": "1"})
    rest = await house.do("listIncidents", query={"limit": "1", "after": page.next})
    assert [page.items[0].id, rest.items[0].id, rest.next] == [made.incident.id, stock.incident, None]


async def test_another_tenants_decisions_are_not_linked(house: House, stock: Stock, others_stock: Stock) -> None:
    body = {"title": "a strange prompt", "decisions": [others_stock.decision, stock.decision]}
    made = await house.do("openIncident", {"tenant": house.acme.slug}, body=body)
    assert made.decisions == [stock.decision]
    changed = await house.do(
        "changeIncident", {"incident": str(stock.incident)}, body={"decisions": [others_stock.decision]}
    )
    assert changed.decisions == [stock.decision]


async def test_another_tenants_incidents_are_not_there(house: House, others_stock: Stock) -> None:
    one = {"incident": str(others_stock.incident)}
    with refused(404):
        await house.do("readIncident", one)
    with refused(404):
        await house.do("changeIncident", one, body={"status": "resolved"})
    assert (await house.do("listIncidents", query={"after": str(others_stock.incident + 1)})).items == []
    with refused(404):
        await house.do("listIncidents", query={"tenant": others_stock.tenant})


async def test_incidents_leave_as_ocsf(house: House, stock: Stock) -> None:
    exported = await house.do("exportIncidents")
    assert [(event["class_uid"], event["finding_info_list"][0]["uid"]) for event in exported.items] == [
        (2005, str(stock.incident))
    ]
