"""Which texts are worth an expensive look."""

from __future__ import annotations

from collections.abc import Sequence

from detectors.judges.types import Terms
from detectors.types import (
    Category,
    Direction,
    Finding,
    Hit,
    Kind,
    Origin,
    Place,
    Segment,
    SegmentRef,
    Severity,
    Stage,
)
from policies.judging import JudgePolicy
from proxy.judging.open_texts import OpenTexts

HIT = Hit("PS-INJ-001", "X", Category.JAILBREAK, Severity.HIGH, 0.5, None, (), "found")
FINDING = Finding(HIT, SegmentRef(Direction.REQUEST, Origin.USER, Kind.TEXT, Place.VALUE, "/a", ""), "patterns")
ALWAYS = JudgePolicy(Terms(), always_origins=frozenset({Origin.USER}))


def text(number: int = 0) -> Segment:
    return Segment(Direction.REQUEST, Origin.USER, Kind.TEXT, Place.VALUE, "/a", f"a text with number {number}")


def gate(judges: JudgePolicy | None = ALWAYS, *, certain: bool = False, postpone: bool = False) -> OpenTexts:
    def say(_findings: Sequence[Finding]) -> bool:
        return certain

    return OpenTexts(say, judges, ("m", "o3"), b"key", postpone=postpone)


def test_what_is_certain_needs_no_expensive_look() -> None:
    for stage, expected in (
        (Stage.PATTERN, None),
        (Stage.MODEL, None),
        (Stage.REFINER, "decided"),
        (Stage.JUDGE, "decided"),
    ):
        assert gate(certain=True).skip(stage, [FINDING]) == expected
        assert gate(certain=False).skip(stage, [FINDING]) is None
        assert gate(certain=True).skip(stage, []) is None


def test_judges_look_at_what_the_policy_wants_and_refiners_at_their_own_band() -> None:
    assert gate().wanted(Stage.JUDGE, text(), [])
    assert not gate(None).wanted(Stage.JUDGE, text(), [HIT])
    assert gate(None).wanted(Stage.REFINER, text(), [HIT])


def test_a_text_is_for_every_model_that_may_answer_it() -> None:
    for pattern, wanted in (("m", True), ("o*", True), ("p*", False)):
        assert gate(JudgePolicy(Terms(), always_models=(pattern,))).wanted(Stage.JUDGE, text(), []) is wanted


def test_what_is_put_off_is_remembered_and_not_looked_at() -> None:
    postponing = gate(postpone=True)
    assert not postponing.wanted(Stage.JUDGE, text(), [])
    assert postponing.postponed == [text()]


def test_a_sample_holds_about_its_share_and_always_the_same_texts() -> None:
    sampling = gate(JudgePolicy(Terms(), sample=0.25))
    drawn = [number for number in range(1000) if sampling.wanted(Stage.JUDGE, text(number), [])]
    assert 200 < len(drawn) < 300
    assert drawn == [number for number in range(1000) if sampling.wanted(Stage.JUDGE, text(number), [])]
