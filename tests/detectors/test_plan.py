"""The steps of the chain: cheap stages look together, expensive detectors one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from detectors.plan import plans_of
from detectors.types import Hit, InspectionContext, Segment, Stage, View


@dataclass
class Named:
    name: str
    stage: Stage = Stage.PATTERN
    required: bool = True
    cacheable: bool = True
    revision: str = "1"

    async def inspect(self, batch: Sequence[Sequence[View]], context: InspectionContext) -> Sequence[Sequence[Hit]]:
        return [()] * len(batch)


class Blind(Named):
    either_way: Literal[True] = True


class Banded(Named):
    def wants(self, segment: Segment, hits: Sequence[Hit]) -> bool:
        return bool(hits)


def test_cheap_stages_are_one_step_each_and_expensive_detectors_one_each() -> None:
    detectors = [Named(stage.name + name, stage, required=False) for stage in reversed(Stage) for name in "ab"]

    steps = [[member.name for member in plan.members] for plan in plans_of(detectors)]

    assert steps == [["PATTERNa", "PATTERNb"], ["MODELa", "MODELb"], ["REFINERa"], ["REFINERb"], ["JUDGEa"], ["JUDGEb"]]


def test_only_expensive_refiners_are_gated() -> None:
    gated = {
        (stage, required): plans_of([Banded("x", stage, required)])[0].gated
        for stage in Stage
        for required in (False, True)
    }

    assert [key for key, value in gated.items() if value] == [(Stage.REFINER, False), (Stage.JUDGE, False)]


def test_what_is_remembered_depends_on_stage_names_and_revisions() -> None:
    plans = [
        *plans_of([Named("a")]),
        *plans_of([Named("b")]),
        *plans_of([Named("a", revision="2")]),
        *plans_of([Named("a"), Named("b")]),
        *plans_of([Named("a", Stage.MODEL)]),
    ]

    assert len({plan.marks() for plan in plans}) == len(plans)
    assert plans_of([Named("b"), Named("a")])[0].marks() == plans[3].marks()


def test_what_was_said_of_an_answer_holds_for_a_request_only_if_every_detector_says_so() -> None:
    asked, answered = plans_of([Blind("a"), Named("b")])[0].marks()

    assert asked != answered
    assert len(set(plans_of([Blind("a"), Blind("b")])[0].marks())) == 1


def test_an_expensive_detector_may_change_while_it_runs() -> None:
    judge = Named("judge", Stage.JUDGE, required=False)
    (plan,) = plans_of([judge])
    before = plan.marks()

    judge.revision = "another panel"

    assert plan.marks() != before
