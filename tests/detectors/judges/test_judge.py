"""One judge: its breaker, its time-out, and what its calls cost."""

from __future__ import annotations

import asyncio

import pytest

from detectors.breaker import NO_PERMIT
from detectors.judges.types import CallResult
from detectors.words import BreakerState
from tests.detectors.judges.conftest import QUESTION, MakeJudge, Purse, Shared, Wire
from tests.detectors.test_breaker import Clock


@pytest.mark.parametrize("failing", [r for r in CallResult if r.counts_against and not r.suspicious])
async def test_every_failure_counts_and_the_fifth_opens_it(make_judge: MakeJudge, failing: CallResult) -> None:
    judge = make_judge("kimi", Wire(failing=failing))
    for _ in range(5):
        permit = await judge.admits()
        assert permit != NO_PERMIT
        assert (await judge.ask(QUESTION, Purse(), permit)).result is failing
    assert (judge.state, await judge.admits()) == (BreakerState.OPEN, NO_PERMIT)


@pytest.mark.parametrize("text", ["All is well.", QUESTION.text + " " + QUESTION.text])
async def test_answers_that_say_nothing_count_and_cost(make_judge: MakeJudge, text: str) -> None:
    judge, purse = make_judge("kimi", Wire(text=text), threshold=1), Purse()
    call = await judge.ask(QUESTION, purse, await judge.admits())
    assert (call.ruling, call.cost, purse.settled, judge.state) == (None, 500, [500], BreakerState.OPEN)
    assert call.result.suspicious


async def test_its_own_time_out_counts_and_keeps_what_was_set_aside(make_judge: MakeJudge) -> None:
    judge, purse = make_judge("kimi", Wire(seconds=5), timeout=0.01, threshold=1), Purse()
    assert (await judge.ask(QUESTION, purse, await judge.admits())).result is CallResult.TIMEOUT
    assert (judge.state, purse.settled) == (BreakerState.OPEN, [])


async def test_a_spent_budget_asks_nobody_and_blames_nobody(make_judge: MakeJudge) -> None:
    wire = Wire()
    judge = make_judge("kimi", wire, threshold=1)
    assert (await judge.ask(QUESTION, Purse(calls=0), await judge.admits())).result is CallResult.BUDGET
    assert (wire.asked, judge.state) == (0, BreakerState.CLOSED)


async def test_what_other_workers_know_shuts_it_here_too(make_judge: MakeJudge) -> None:
    shared = Shared(open_for=20)
    judge = make_judge("kimi", Wire(), shared)
    assert (await judge.admits(), judge.state) == (NO_PERMIT, BreakerState.OPEN)


async def test_of_all_workers_one_tries_a_judge_that_was_open(make_judge: MakeJudge) -> None:
    clock, shared = Clock(), Shared(trials=1)
    workers = [make_judge("kimi", Wire(failing=CallResult.SERVER), shared, clock, threshold=1) for _ in range(4)]
    for judge in workers:
        await judge.ask(QUESTION, Purse(), await judge.admits())
    clock.now += 31
    assert [await judge.admits() != NO_PERMIT for judge in workers] == [True, False, False, False]


async def test_a_trial_that_was_cancelled_leaves_its_place(make_judge: MakeJudge) -> None:
    clock, wire = Clock(), Wire(failing=CallResult.SERVER)
    judge = make_judge("kimi", wire, Shared(trials=9), clock, threshold=1)
    await judge.ask(QUESTION, Purse(), await judge.admits())
    clock.now += 31
    wire.gate = asyncio.Event()
    trial = asyncio.ensure_future(judge.ask(QUESTION, Purse(), await judge.admits()))
    await asyncio.sleep(0)
    assert not await judge.admits()
    trial.cancel()
    await asyncio.wait([trial])
    assert await judge.admits()


async def test_an_answer_tells_all_workers_and_how_long_it_took(make_judge: MakeJudge) -> None:
    shared = Shared()
    judge = make_judge("kimi", Wire(seconds=0.005), shared)
    assert (await judge.ask(QUESTION, Purse(), await judge.admits())).result is CallResult.ANSWERED
    assert len(shared.answers) == 1
    assert judge.typical_seconds >= 0.005


class Slow(Shared):
    """Nobody hears from Redis."""

    async def may_try(self, name: str, seconds: float) -> bool:
        await asyncio.Event().wait()
        return True


async def test_who_goes_while_he_asks_whether_he_may_try_leaves_the_place(make_judge: MakeJudge) -> None:
    clock, shared = Clock(), Slow()
    judge = make_judge("kimi", Wire(failing=CallResult.SERVER), shared, clock, threshold=1)
    await judge.ask(QUESTION, Purse(), await judge.admits())
    clock.now += 31
    asking = asyncio.ensure_future(judge.admits())
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.wait([asking])
    shared.may_try = Shared.may_try.__get__(shared)  # type: ignore[method-assign]
    assert await judge.admits()


@pytest.mark.parametrize("failing", [None, CallResult.SERVER])
async def test_news_from_before_it_opened_are_told_to_nobody(make_judge: MakeJudge, failing: CallResult | None) -> None:
    clock, shared, wire = Clock(), Shared(trials=9), Wire(failing=CallResult.SERVER)
    judge = make_judge("kimi", wire, shared, clock, threshold=1)
    early = await judge.admits()
    await judge.ask(QUESTION, Purse(), await judge.admits())
    clock.now += 31
    told = (list(shared.failures), list(shared.answers))
    wire.failing = failing
    await judge.ask(QUESTION, Purse(), early)
    assert (judge.state, shared.failures, shared.answers) == (BreakerState.HALF_OPEN, *told)
