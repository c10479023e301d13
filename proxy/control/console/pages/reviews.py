"""The review queue: what a policy stopped until a person looked, released or kept."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from aiohttp import web

from proxy.control.answers.reviews import ReviewList, ShownReview
from proxy.control.console.filters import asked, query
from proxy.control.console.page import Page, Visit

_LIST: Final = "/console/reviews"


async def _show(visit: Visit) -> web.Response:
    given = asked(visit, "status") or {"status": "open"}
    found = await visit.ask("listReviews", ReviewList, query=query(visit, given))
    return visit.page("reviews.html", "Reviews", found=found, looking=given["status"])


async def _release(visit: Visit) -> web.Response:
    return await _decide(visit, "releaseReview", "released", visit.sent("reason", "days"))


async def _keep(visit: Visit) -> web.Response:
    return await _decide(visit, "rejectReview", "kept", visit.sent("reason"))


async def _decide(visit: Visit, operation: str, said: str, body: dict[str, str]) -> web.Response:
    done = await visit.attempt(
        operation, ShownReview, names={"decision": str(visit.typed.get("review", ""))}, body=body
    )
    return await _show(visit) if done is None else visit.go(_LIST, said)


PAGES: Final = (Page(_LIST, _show, MappingProxyType({"release": _release, "keep": _keep})),)
