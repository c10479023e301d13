"""In which order judges are asked, and whose word counts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from detectors.judges.judge import Judge
from detectors.judges.panel import Panel
from detectors.judges.types import CallResult, Outcome, Strategy, Terms
from detectors.types import Category
from tests.detectors.judges.conftest import QUESTION, Counts, MakeJudge, Purse, Wire

ATTACK = Category.JAILBREAK
DOWN, SERVER = CallResult.CONNECT, CallResult.SERVER


def slow(seconds: float, category: str = "jailbreak") -> Wire:
    return Wire(category, seconds=seconds)


async def ask(judges: Sequence[Judge], strategy: Strategy, deadline: float = 0.21) -> Outcome:
    panel = Panel(judges, Counts())
    try:
        return await panel.judge(QUESTION, Terms(strategy=strategy, deadline=deadline), Purse())
    finally:
        await panel.close()
        await asyncio.sleep(0)


HEDGE, SEQUENTIAL, MAJORITY = Strategy.HEDGE, Strategy.SEQUENTIAL, Strategy.MAJORITY
CASES = {
    "hedge: a fast first one is asked alone": (HEDGE, "0", (1, 0, 0), False, (0.0, 0.0, 0.0)),
    "hedge: a slow first one gets a second beside it": (HEDGE, "1", (1, 1, 0), False, (0.6, 0.0, 0.0)),
    "hedge: the first may still win": (HEDGE, "0", (1, 1, 0), False, (0.11, 0.6, 0.0)),
    "hedge: a third starts after two thirds": (HEDGE, "2", (1, 1, 1), False, (0.6, 0.6, 0.0)),
    "hedge: nobody in time": (HEDGE, None, (1, 1, 1), True, (0.6, 0.6, 0.6)),
    "sequential: a slow first one is waited for": (SEQUENTIAL, None, (1, 0, 0), True, (0.6, 0.0, 0.0)),
    "sequential: the first answers": (SEQUENTIAL, "0", (1, 0, 0), False, (0.01, 0.0, 0.0)),
    "majority: all are asked": (MAJORITY, "0", (1, 1, 1), False, (0.0, 0.01, 0.6)),
    "majority: two of three in time are enough": (MAJORITY, "1", (1, 1, 1), False, (0.6, 0.01, 0.02)),
    "majority: one of three is not": (MAJORITY, None, (1, 1, 1), True, (0.6, 0.01, 0.6)),
}


@pytest.mark.parametrize("case", CASES)
async def test_who_is_asked_when_and_who_is_heard(make_judge: MakeJudge, case: str) -> None:
    strategy, heard, asked, late, seconds = CASES[case]
    wires = [slow(pause) for pause in seconds]
    outcome = await ask([make_judge(str(n), wire) for n, wire in enumerate(wires)], strategy)
    assert (outcome.ruling and outcome.ruling.judge) == heard
    assert tuple(wire.asked for wire in wires) == asked
    assert outcome.late is late


@pytest.mark.parametrize("strategy", [HEDGE, SEQUENTIAL])
async def test_a_failure_goes_on_to_the_next_at_once(make_judge: MakeJudge, strategy: Strategy) -> None:
    wires = [Wire(failing=DOWN), Wire(text="no idea"), Wire("jailbreak")]
    outcome = await ask([make_judge(str(n), wire) for n, wire in enumerate(wires)], strategy, deadline=30)
    assert outcome.ruling is not None
    assert (outcome.ruling.judge, outcome.suspicious) == ("2", True)
    assert [call.result for call in outcome.calls] == [DOWN, CallResult.UNREADABLE, CallResult.ANSWERED]


@pytest.mark.parametrize("strategy", Strategy)
async def test_when_all_fail_nobody_is_waited_for(make_judge: MakeJudge, strategy: Strategy) -> None:
    judges = [make_judge(str(number), Wire(failing=SERVER)) for number in range(3)]
    outcome = await ask(judges, strategy, deadline=30)
    assert (outcome.ruling, outcome.late, len(outcome.calls)) == (None, False, 3)


async def test_a_judge_that_is_usually_too_slow_starts_last(make_judge: MakeJudge) -> None:
    wires = [Wire("jailbreak"), Wire("jailbreak")]
    judges = [make_judge(str(number), wire) for number, wire in enumerate(wires)]
    judges[0]._times.append(9.0)
    outcome = await ask(judges, HEDGE)
    assert (outcome.ruling and outcome.ruling.judge, wires[0].asked) == ("1", 0)


async def test_where_nobody_is_usually_in_time_the_two_fastest_start_at_once(make_judge: MakeJudge) -> None:
    wires = [slow(0.02), slow(0.02), slow(0.02)]
    judges = [make_judge(str(number), wire) for number, wire in enumerate(wires)]
    for judge, seconds in zip(judges, (9.0, 7.0, 5.0), strict=True):
        judge._times.append(seconds)
    await ask(judges, HEDGE)
    assert [wire.asked for wire in wires] == [0, 1, 1]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (("jailbreak", "jailbreak", "none"), ATTACK),
        (("none", "jailbreak", "none"), None),
        (("jailbreak", "prompt_injection", "none"), ATTACK),
    ],
)
async def test_more_than_half_must_agree(
    make_judge: MakeJudge, said: tuple[str, ...], expected: Category | None
) -> None:
    wires = [Wire(category, confidence=0.9 - number / 10) for number, category in enumerate(said)]
    outcome = await ask([make_judge(str(number), wire) for number, wire in enumerate(wires)], MAJORITY)
    assert outcome.ruling is not None
    assert outcome.ruling.category is expected


async def test_one_against_one_is_no_majority(make_judge: MakeJudge) -> None:
    judges = [make_judge("0", Wire("jailbreak")), make_judge("1", Wire("none"))]
    assert (await ask(judges, MAJORITY)).ruling is None
