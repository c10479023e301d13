"""One inspection's way to the judges: what its memory depends on."""

from __future__ import annotations

from detectors.judges.judging import Judging
from detectors.judges.panel import Panel
from detectors.judges.types import Send, Strategy, Terms
from tests.detectors.judges.conftest import QUESTION, Counts, MakeJudge, Purse, Wire


def test_other_judges_and_other_terms_are_remembered_apart(make_judge: MakeJudge) -> None:
    one, two = (Panel([make_judge(name, Wire())], Counts()) for name in ("a", "b"))
    ways = [
        Judging(one, Terms(), Purse()),
        Judging(two, Terms(), Purse()),
        Judging(one, Terms(send=Send.RAW), Purse()),
        Judging(one, Terms(strategy=Strategy.MAJORITY), Purse()),
        Judging(one, Terms(panel=("a",)), Purse()),
    ]
    assert len({way.tag for way in ways}) == len(ways)
    assert Judging(one, Terms(deadline=9), Purse()).tag == ways[0].tag


async def test_its_calls_are_kept_for_the_account(make_judge: MakeJudge) -> None:
    way = Judging(Panel([make_judge("a", Wire("jailbreak"))], Counts()), Terms(), Purse(), 1)
    await way.judge(QUESTION)
    assert [(call.judge, call.cost) for call in way.calls] == [("a", 500)]
