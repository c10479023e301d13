from __future__ import annotations

from datetime import UTC, datetime, timedelta

from storage.uuid7 import uuid7
from tests.proxy.control.house import House, refused
from tests.proxy.control.stock import Stock


async def test_what_was_stopped_is_released_once(house: House, stock: Stock) -> None:
    listed = await house.do("listReviews")
    assert [review.id for review in listed.items] == [stock.second_review, stock.decision]
    page = await house.do("listReviews", query={"limit": "1"})
    rest = await house.do("listReviews", query={"limit": "1", "after": page.next})
    assert [page.items[0].id, rest.items[0].id, rest.next] == [stock.second_review, stock.decision, None]
    one = {"decision": stock.decision}
    released = await house.do("releaseReview", one, body={"reason": "harmless", "days": 3})
    assert (released.status, released.decided_by) == ("released", "ada")
    assert released.released_until == datetime.now(UTC).date() + timedelta(days=3)
    with refused(409):
        await house.do("rejectReview", one, body={"reason": "no, it is not"})
    assert [review.id for review in (await house.do("listReviews")).items] == [stock.second_review]
    assert [review.id for review in (await house.do("listReviews", query={"status": "released"})).items] == [
        stock.decision
    ]


async def test_what_was_stopped_rightly_is_rejected(house: House, stock: Stock) -> None:
    rejected = await house.do("rejectReview", {"decision": stock.decision}, body={"reason": "an attack"})
    assert (rejected.status, rejected.reason, rejected.released_until) == ("rejected", "an attack", None)


async def test_another_tenants_reviews_are_not_there(house: House, others_stock: Stock) -> None:
    assert (await house.do("listReviews")).items == []
    for decision in (others_stock.decision, uuid7(), "x"):
        with refused(404):
            await house.do("readReview", {"decision": decision})
        with refused(404):
            await house.do("releaseReview", {"decision": decision}, body={"reason": "harmless"})
    theirs = await house.do("readReview", {"decision": others_stock.decision}, by=house.admin(house.globex))
    assert theirs.status == "open"
