"""From one upstream to the next: only while nothing was sent, and past those whose breaker is open."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from detectors.errors import UpstreamError
from detectors.words import BreakerState
from proxy.settings import BreakerSettings, UpstreamSettings
from proxy.telemetry.metrics import WorkerMetrics
from proxy.upstreams.health import UpstreamHealth
from proxy.upstreams.upstream import UpstreamAnswer, UpstreamRequest

FIRST, SECOND = (
    UpstreamSettings(name=name, base_url="http://h", breaker=BreakerSettings(threshold=2))
    for name in ("first", "second")
)


@dataclass(slots=True)
class Pool:
    """Does for each upstream what `does` says: a status, or an exception."""

    does: dict[str, int | BaseException]
    asked: list[str] = field(default_factory=list)

    async def send(self, upstream: UpstreamSettings, _request: UpstreamRequest) -> UpstreamAnswer:
        self.asked.append(upstream.name)
        what = self.does[upstream.name]
        if isinstance(what, BaseException):
            raise what
        return cast("UpstreamAnswer", SimpleNamespace(status=what))

    async def close(self) -> None:
        return


def health(first: int | BaseException, second: int | BaseException = 200) -> tuple[UpstreamHealth, Pool, Any]:
    pool = Pool({"first": first, "second": second})
    chosen: list[str] = []
    made = UpstreamHealth([FIRST, SECOND], pool, WorkerMetrics(0))
    request = UpstreamRequest("POST", "/", {}, b"")

    async def send() -> int:
        answer = await made.send([FIRST, SECOND], lambda _: request, chosen.append)
        return answer.status

    return made, pool, SimpleNamespace(send=send, chosen=chosen)


def broken(kind: str, *, sent: bool) -> UpstreamError:
    return UpstreamError("first", kind, sent=sent)


async def test_an_upstream_that_cannot_be_reached_leaves_the_request_to_the_next() -> None:
    _, pool, request = health(broken("connect", sent=False))
    assert await request.send() == 200
    assert pool.asked == request.chosen == ["first", "second"]


async def test_what_may_have_arrived_is_not_sent_again() -> None:
    _, pool, request = health(broken("reset", sent=True))
    with pytest.raises(UpstreamError, match="reset"):
        await request.send()
    assert pool.asked == ["first"]


@pytest.mark.parametrize("does", [503, 529, broken("timeout", sent=True)])
async def test_an_upstream_that_fails_in_a_row_is_passed_over(does: int | UpstreamError) -> None:
    made, pool, request = health(does)
    for _ in range(2):
        try:
            await request.send()
        except UpstreamError:
            continue
    assert made.states() == {"first": BreakerState.OPEN, "second": BreakerState.CLOSED}
    assert await request.send() == 200
    assert pool.asked == ["first", "first", "second"]


@pytest.mark.parametrize("status", [200, 400, 401, 404, 429, 501])
async def test_what_is_about_one_request_or_one_key_is_no_failure(status: int) -> None:
    made, _, request = health(status)
    for _ in range(5):
        assert await request.send() == status
    assert made.states()["first"] is BreakerState.CLOSED


async def test_what_cannot_be_sent_to_anybody_is_no_upstreams_failure() -> None:
    made, _, request = health(broken("unsendable", sent=False), broken("unsendable", sent=False))
    for _ in range(5):
        with pytest.raises(UpstreamError, match="unsendable"):
            await request.send()
    assert set(made.states().values()) == {BreakerState.CLOSED}


async def test_where_nobody_may_be_tried_that_is_said_and_nothing_was_sent() -> None:
    _, pool, request = health(broken("connect", sent=False), broken("connect", sent=False))
    for kind in ("connect", "connect", "unavailable"):
        with pytest.raises(UpstreamError) as caught:
            await request.send()
        assert (caught.value.kind, caught.value.sent) == (kind, False)
    assert len(pool.asked) == 4


async def test_a_caller_that_goes_away_says_nothing_about_the_upstream() -> None:
    made, _, request = health(asyncio.CancelledError())
    for _ in range(5):
        with pytest.raises(asyncio.CancelledError):
            await request.send()
    assert made.states()["first"] is BreakerState.CLOSED
