"""The judge as a detector: which hits it returns, what it leaves undecided, and what of a text leaves for it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from detectors.builtin.judge import DETECTOR
from detectors.chain import Chain, InspectionOptions
from detectors.judges.judging import Judging
from detectors.judges.panel import Panel
from detectors.judges.types import CallResult, Send, Terms
from detectors.types import (
    Category,
    Direction,
    Hit,
    InspectionContext,
    Kind,
    Origin,
    Place,
    RunStatus,
    Segment,
    Severity,
    Span,
    View,
)
from detectors.undecided import SPENT, STILL_JUDGING, Undecided
from detectors.views import ViewBuilder
from storage.cache import LruFindingsCache
from tests.detectors.judges.conftest import Counts, MakeJudge, Purse, Wire, make_judge

__all__ = ["make_judge"]
TEXT = "Call Anna on 555-0100 about the key abc123 today."


def segment(text: str = TEXT) -> Segment:
    return Segment(Direction.REQUEST, Origin.USER, Kind.TEXT, Place.VALUE, "/a", text)


def judging(make_judge: MakeJudge, wire: Wire, purse: Purse | None = None, **terms: object) -> Judging:
    fields: dict[str, object] = {"deadline": 0.05, **terms}
    return Judging(Panel([make_judge("kimi", wire)], Counts()), Terms(**fields), purse or Purse(), 1)  # type: ignore[arg-type]


async def inspect(way: Judging, *segments: Segment) -> Sequence[Sequence[Hit]]:
    batch = [(View(segment, segment.text, (), None),) for segment in segments]
    return await DETECTOR.inspect(batch, InspectionContext(1, judging=way))


async def test_a_ruling_becomes_a_hit_without_a_place_or_the_judges_words(make_judge: MakeJudge) -> None:
    ((hit,),) = await inspect(judging(make_judge, Wire("jailbreak", 0.91)), segment())
    assert (hit.rule_id, hit.category, hit.confidence, hit.span) == ("PS-JUDGE-001", Category.JAILBREAK, 0.91, None)
    assert (hit.severity, hit.tags) == (Severity.HIGH, ("judge.kimi",))
    assert "because" not in hit.message


async def test_a_judge_that_sees_nothing_claims_nothing(make_judge: MakeJudge) -> None:
    assert await inspect(judging(make_judge, Wire("none")), segment()) == [()]


async def test_garbage_leaves_a_text_undecided_and_suspicious(make_judge: MakeJudge) -> None:
    (found,) = await inspect(judging(make_judge, Wire(text="I allow this.")), segment())
    assert isinstance(found, Undecided)
    assert (found.status, found.reason, found[0].rule_id) == (RunStatus.UNAVAILABLE, "nobody_answered", "PS-JUDGE-002")


@pytest.mark.parametrize(
    ("wire", "purse", "status", "reason"),
    [
        (Wire(failing=CallResult.CONNECT), Purse(), RunStatus.UNAVAILABLE, "nobody_answered"),
        (Wire(seconds=0.5), Purse(), RunStatus.UNAVAILABLE, STILL_JUDGING),
        (Wire(), Purse(calls=0), RunStatus.SKIPPED, SPENT),
    ],
)
async def test_why_a_text_is_undecided(
    make_judge: MakeJudge, wire: Wire, purse: Purse, status: RunStatus, reason: str
) -> None:
    way = judging(make_judge, wire, purse)
    (found,) = await inspect(way, segment())
    await way.panel.close()
    assert isinstance(found, Undecided)
    assert (found.status, found.reason, tuple(found)) == (status, reason, ())


async def test_one_text_that_fails_takes_nothing_from_the_others(make_judge: MakeJudge) -> None:
    way = judging(make_judge, Wire("jailbreak"), Purse(calls=1))
    first, second = await inspect(way, segment(), segment(TEXT + " Really."))
    assert sorted([len(first), len(second)]) == [0, 1]
    assert isinstance(first, Undecided) != isinstance(second, Undecided)


async def test_a_long_text_is_read_in_pieces_that_overlap(make_judge: MakeJudge) -> None:
    wire = Wire("none")
    await inspect(judging(make_judge, wire), segment(" ".join(map(str, range(10_000)))))
    assert wire.asked == 3


async def test_more_texts_than_anybody_reads_are_undecided(make_judge: MakeJudge) -> None:
    wire = Wire("none")
    found = await inspect(judging(make_judge, wire), *[segment(f"{TEXT} {number}") for number in range(40)])
    reasons = [hits.reason for hits in found if isinstance(hits, Undecided)]
    assert (wire.asked, reasons) == (32, ["too_many_texts"] * 8)


def found(category: Category, span: Span | None, kind: str) -> Hit:
    return Hit("PS-PII-001", kind, category, Severity.LOW, 0.9, span, (), "found")


def test_what_is_private_is_cut_out_before_a_text_leaves(make_judge: MakeJudge) -> None:
    way, text = judging(make_judge, Wire()), segment()
    way.known[id(text)] = [
        found(Category.PII, Span(5, 9), "NAME"),
        found(Category.PII, Span(13, 21), "PHONE"),
        found(Category.CREDENTIAL, Span(15, 21), "KEY"),
        found(Category.JAILBREAK, Span(0, 4), "SIGN"),
    ]
    assert way.text_for_judges(text) == "Call [NAME] on [PHONE] about the key abc123 today."


def test_what_is_private_and_has_no_place_keeps_the_whole_text_here(make_judge: MakeJudge) -> None:
    way, raw, text = judging(make_judge, Wire()), judging(make_judge, Wire(), send=Send.RAW), segment()
    way.known[id(text)] = raw.known[id(text)] = [found(Category.PII, None, "NAME")]
    assert (way.text_for_judges(text), raw.text_for_judges(text)) == (None, TEXT)


async def test_a_text_is_judged_once_and_remembered_only_when_it_was(
    make_judge: MakeJudge, builder: ViewBuilder
) -> None:
    chain, wire = Chain([DETECTOR], builder, "1", LruFindingsCache()), Wire(failing=CallResult.SERVER)

    async def statuses() -> list[RunStatus]:
        context = InspectionContext(1, judging=judging(make_judge, wire))
        return [run.status for run in (await chain.inspect([segment()], InspectionOptions(context, b"key"))).runs]

    assert await statuses() == [RunStatus.UNAVAILABLE]
    wire.failing = None
    assert (await statuses(), await statuses(), wire.asked) == ([RunStatus.OK], [RunStatus.OK], 2)


async def test_an_inspection_without_judges_has_no_account_of_them(builder: ViewBuilder) -> None:
    chain = Chain([DETECTOR], builder, "1")
    assert (await chain.inspect([segment()], InspectionOptions())).runs == ()
