"""Every detector is accounted for, whatever it does; what is remembered is exact and never crosses tenants."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.batch import MAX_TEXT, StageHits, reference
from detectors.chain import DECIDED, Chain, Inspection, InspectionOptions
from detectors.errors import DetectorError
from detectors.seams import seams
from detectors.types import (
    Category,
    Direction,
    Finding,
    Hit,
    InspectionContext,
    Kind,
    Origin,
    Place,
    RunStatus,
    Segment,
    Severity,
    Span,
    Stage,
    Unscanned,
    View,
)
from detectors.views import ViewBuilder

KEY = b"k" * 32


@dataclass
class Finder:
    """Finds a word in every reading of every segment; does what a test asks of it."""

    word: str = "secret"
    name: str = "finder"
    stage: Stage = Stage.PATTERN
    required: bool = True
    cacheable: bool = True
    revision: str = "1"
    throws: BaseException | None = None
    waits: float = 0
    drops: int = 0
    seen: list[list[str]] = field(default_factory=list)
    entered: asyncio.Event = field(default_factory=asyncio.Event)

    async def inspect(self, batch: Sequence[Sequence[View]], context: InspectionContext) -> Sequence[Sequence[Hit]]:
        self.entered.set()
        self.seen.append([views[0].segment.text for views in batch])
        if self.waits:
            await asyncio.sleep(self.waits)
        if self.throws is not None:
            raise self.throws
        return [self._hits(views) for views in batch][self.drops :]

    def _hits(self, views: Sequence[View]) -> tuple[Hit, ...]:
        found = ((view, match) for view in views for match in re.finditer(self.word, view.text))
        spans = {view.to_source(Span(*match.span())) for view, match in found}
        return tuple(_hit(self.word.upper(), span) for span in sorted(spans))


class Remembering(dict[bytes, StageHits]):
    """The smallest findings cache."""

    def get_many(self, keys: Sequence[bytes]) -> Sequence[StageHits | None]:
        return [self.get(key) for key in keys]

    def put(self, key: bytes, value: StageHits) -> None:
        self[key] = value


@dataclass
class Skipping:
    """A gate that skips the stages it is told to, and keeps what it was shown."""

    stages: Mapping[Stage, str]
    shown: list[tuple[Stage, int]] = field(default_factory=list)

    def skip(self, stage: Stage, findings: Sequence[Finding]) -> str | None:
        self.shown.append((stage, len(findings)))
        return self.stages.get(stage)

    def wanted(self, stage: Stage, segment: Segment, hits: Sequence[Hit]) -> bool:
        return not any(hit.kind == "CERTAIN" for hit in hits)


@dataclass
class Banded(Finder):
    """A refiner that is worth its price for texts with an open claim about them."""

    name: str = "banded"
    stage: Stage = Stage.REFINER
    required: bool = False

    def wants(self, segment: Segment, hits: Sequence[Hit]) -> bool:
        return any(hit.kind == "OPEN" for hit in hits)


def _hit(kind: str, span: Span | None) -> Hit:
    return Hit("PS-T-001", kind, Category.CREDENTIAL, Severity.HIGH, 0.9, span, (), "A test")


def _segment(text: str, pointer: str = "/0") -> Segment:
    return Segment(Direction.REQUEST, Origin.USER, Kind.TEXT, Place.VALUE, pointer, text)


def _refiner(**changes: Any) -> Finder:
    return replace(Finder(name="refiner", stage=Stage.MODEL, required=False), **changes)


async def _inspect(
    *finders: Finder,
    texts: Sequence[str | Segment] = ("a secret", "nothing"),
    options: InspectionOptions | None = None,
    cache: Remembering | None = None,
) -> Inspection:
    chain = Chain(finders, ViewBuilder([]), "1", cache)
    segments = [t if isinstance(t, Segment) else _segment(t, f"/{i}") for i, t in enumerate(texts)]
    return await chain.inspect(segments, options or InspectionOptions(content_key=KEY))


def _status(inspection: Inspection) -> dict[str, tuple[RunStatus, str]]:
    return {run.detector: (run.status, run.reason) for run in inspection.runs}


async def test_a_finding_is_anchored_to_its_segment() -> None:
    inspection = await _inspect(Finder())

    (finding,) = inspection.findings
    assert (finding.segment.pointer, finding.hit.span, finding.detector) == ("/0", Span(2, 8), "finder")
    assert (inspection.coverage.scanned, inspection.coverage.cached) == (2, 0)


async def test_every_detector_has_one_run_and_sees_all_segments_in_one_call() -> None:
    finders = [Finder(name="b"), Finder(name="a"), _refiner(), Finder(name="j", stage=Stage.JUDGE, required=False)]

    inspection = await _inspect(*finders)

    assert [run.detector for run in inspection.runs] == ["b", "a", "refiner", "j"]
    assert [finder.seen for finder in finders] == [[["a secret", "nothing"]]] * 4
    assert {run.status for run in inspection.runs} == {RunStatus.OK}
    assert [(run.hits, run.confidence) for run in inspection.runs] == [(1, 0.9)] * 4


@pytest.mark.parametrize(
    ("finder", "status", "reason"),
    [
        (Finder(throws=DetectorError("finder", "breaker")), RunStatus.UNAVAILABLE, "breaker"),
        (Finder(throws=ValueError("the secret text")), RunStatus.ERROR, "ValueError"),
        (Finder(throws=TimeoutError()), RunStatus.TIMEOUT, "deadline"),
        (Finder(throws=RecursionError()), RunStatus.ERROR, "RecursionError"),
        (Finder(throws=MemoryError()), RunStatus.ERROR, "MemoryError"),
        (Finder(drops=1), RunStatus.ERROR, "ValueError"),
    ],
)
async def test_a_detector_that_could_not_look_is_a_run_and_no_exception(
    finder: Finder, status: RunStatus, reason: str
) -> None:
    required = await _inspect(finder, Finder(name="other"))
    refiner = await _inspect(replace(finder, required=False), Finder(name="other"))

    assert _status(required)["finder"] == _status(refiner)["finder"] == (status, reason)
    assert [run.detector for run in required.failed] == [run.detector for run in refiner.undecided] == ["finder"]
    assert required.undecided == refiner.failed == ()
    assert [f.detector for f in required.findings] == [f.detector for f in refiner.findings] == ["other"]


async def test_a_refiner_that_takes_too_long_is_timed_out() -> None:
    inspection = await _inspect(Finder(), _refiner(waits=5), options=InspectionOptions(refiner_deadline=0.001))

    assert _status(inspection) == {"finder": (RunStatus.OK, ""), "refiner": (RunStatus.TIMEOUT, "deadline")}


async def test_refiners_share_one_deadline() -> None:
    ticks = iter(range(100))
    chain = Chain([_refiner(name="a"), _refiner(name="b", waits=5)], ViewBuilder([]), "1", None, lambda: next(ticks))

    inspection = await chain.inspect([_segment("x")], InspectionOptions(refiner_deadline=1.0))

    assert [run.status for run in inspection.runs] == [RunStatus.OK, RunStatus.TIMEOUT]


async def test_a_required_detector_has_no_clock() -> None:
    inspection = await _inspect(Finder(waits=0.005), options=InspectionOptions(refiner_deadline=0.0))

    assert _status(inspection) == {"finder": (RunStatus.OK, "")}


@pytest.mark.parametrize("required", [True, False])
async def test_cancelling_an_inspection_cancels_its_detector(required: bool) -> None:
    finder = Finder(required=required, waits=60)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(_inspect(finder))
        await finder.entered.wait()
        task.cancel()

    assert task.cancelled()


async def test_a_stage_that_the_gate_skips_is_recorded_with_its_reason() -> None:
    refiner, gate = _refiner(), Skipping({Stage.MODEL: "verdict is certain"})

    inspection = await _inspect(Finder(), refiner, options=InspectionOptions(gate=gate))

    assert _status(inspection)["refiner"] == (RunStatus.SKIPPED, "verdict is certain")
    assert gate.shown == [(Stage.PATTERN, 0), (Stage.MODEL, 1)]
    assert refiner.seen == []
    assert inspection.undecided == ()


@pytest.mark.parametrize(("texts", "left_out"), [(["shut"], 1), (["open", "shut"], 0)])
async def test_what_a_skipped_stage_had_no_use_for_is_no_gap(texts: list[str], left_out: int) -> None:
    banded, gate = Banded("open"), Skipping({Stage.REFINER: "verdict is certain"})

    inspection = await _inspect(Finder("open"), banded, texts=texts, options=InspectionOptions(gate=gate))

    assert _status(inspection)["banded"] == (RunStatus.SKIPPED, "verdict is certain")
    assert inspection.runs[1].left_out == left_out
    assert banded.seen == []


async def test_an_expensive_detector_looks_only_where_it_is_wanted() -> None:
    banded = Banded("open")
    inspection = await _inspect(Finder("open"), banded, texts=["open", "shut", "an open question"])

    assert banded.seen == [["open", "an open question"]]
    assert [(run.status, run.left_out, run.hits) for run in inspection.runs] == [
        (RunStatus.OK, 0, 2),
        (RunStatus.OK, 1, 2),
    ]


async def test_an_expensive_detector_that_nobody_wants_is_accounted_for_as_skipped() -> None:
    inspection = await _inspect(Finder(), Banded("open"))

    assert _status(inspection)["banded"] == (RunStatus.SKIPPED, DECIDED)
    assert inspection.undecided == ()
    assert inspection.runs[1].left_out == 2


async def test_the_gate_of_a_policy_leaves_out_texts_that_are_decided() -> None:
    judge = Finder("open", name="judge", stage=Stage.JUDGE, required=False)
    options = InspectionOptions(content_key=KEY, gate=Skipping({}))

    await _inspect(Finder("certain"), judge, texts=["certain and open", "open"], options=options)

    assert judge.seen == [["open"]]


async def test_what_one_expensive_detector_says_makes_the_next_one_wanted() -> None:
    similar = Banded("open", name="similar", stage=Stage.REFINER)
    opener = Finder("open", name="opener", stage=Stage.REFINER, required=False)

    await _inspect(opener, similar, texts=["open", "shut"])

    assert similar.seen == [["open"]]


async def test_a_text_that_was_left_out_is_not_remembered_as_looked_at() -> None:
    cache, banded = Remembering(), Banded("open")
    await _inspect(Finder("never"), banded, texts=["open"], cache=cache)

    await _inspect(Finder("open", revision="2"), banded, texts=["open"], cache=cache)

    assert banded.seen == [["open"]]


async def test_a_refiner_that_fails_is_undecided_only_where_it_was_wanted() -> None:
    failing = Banded("open", throws=DetectorError("banded", "full"))

    decided = await _inspect(Finder("open"), failing, texts=["shut"])
    undecided = await _inspect(Finder("open"), failing, texts=["shut", "open"])

    assert decided.degraded == ()
    assert [(run.detector, run.left_out) for run in undecided.undecided] == [("banded", 1)]


async def test_a_text_counts_as_known_only_if_no_stage_had_to_read_it() -> None:
    cache = Remembering()
    await _inspect(Finder(), texts=["open"], cache=cache)

    inspection = await _inspect(Finder(), _refiner(stage=Stage.JUDGE), texts=["open"], cache=cache)

    assert (inspection.coverage.scanned, inspection.coverage.cached) == (1, 0)


async def test_no_gate_skips_a_required_detector() -> None:
    gate = Skipping({Stage.PATTERN: "never mind"})

    inspection = await _inspect(Finder(), options=InspectionOptions(gate=gate))

    assert _status(inspection)["finder"] == (RunStatus.OK, "")


async def test_what_is_known_is_not_looked_at_again_and_anchored_where_it_is_now() -> None:
    cache, finder = Remembering(), Finder()
    await _inspect(finder, texts=["a secret"], cache=cache)

    inspection = await _inspect(finder, texts=["new", _segment("a secret", "/moved")], cache=cache)

    assert finder.seen == [["a secret"], ["new"]]
    assert [(f.segment.pointer, f.hit.span) for f in inspection.findings] == [("/moved", Span(2, 8))]
    assert (inspection.coverage.scanned, inspection.coverage.cached) == (1, 1)
    assert [(run.detector, run.status) for run in inspection.runs] == [("finder", RunStatus.OK)]


async def test_findings_are_the_same_from_memory_as_from_looking() -> None:
    cache, texts = Remembering(), ["a secret", "no", "secret secret", "another secret"]
    await _inspect(Finder(), texts=[texts[2]], cache=cache)

    partly, fresh = await _inspect(Finder(), texts=texts, cache=cache), await _inspect(Finder(), texts=texts)

    assert partly.findings == fresh.findings


SOMETHING_ELSE = [
    {"text": "a secret!"},
    {"origin": Origin.TOOL},
    {"direction": Direction.RESPONSE},
    {"kind": Kind.SEAM},
    {"place": Place.KEY},
    {"joints": (3,)},
]


@pytest.mark.parametrize("changes", SOMETHING_ELSE)
async def test_all_that_hits_depend_on_is_in_the_key(changes: dict[str, Any]) -> None:
    cache, finder, segment = Remembering(), Finder(), _segment("a secret")
    await _inspect(finder, texts=[segment], cache=cache)

    await _inspect(finder, texts=[replace(segment, **changes)], cache=cache)

    assert len(finder.seen[1]) == 1
    assert len(cache) == 2


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(st.text(max_size=4), st.sampled_from(Origin), st.lists(st.integers(0, 99), max_size=3)), unique_by=str
    )
)
async def test_different_segments_have_different_keys(parts: list[tuple[str, Origin, list[int]]]) -> None:
    cache = Remembering()
    segments = [replace(_segment(t), origin=o, joints=tuple(j)) for t, o, j in parts]

    await _inspect(Finder(), texts=segments, cache=cache)

    assert len(cache) == len(segments)


@pytest.mark.parametrize("changes", [{"revision": "2"}, {"name": "other"}, {"stage": Stage.MODEL}])
async def test_another_detector_or_revision_looks_afresh(changes: dict[str, Any]) -> None:
    cache, changed = Remembering(), replace(Finder(), **changes)
    await _inspect(Finder(), cache=cache)

    await _inspect(changed, cache=cache)

    assert changed.seen == [["a secret", "nothing"]]


async def test_tenants_share_nothing() -> None:
    cache, finder = Remembering(), Finder()
    await _inspect(finder, cache=cache, options=InspectionOptions(content_key=b"a" * 32))

    inspection = await _inspect(finder, cache=cache, options=InspectionOptions(content_key=b"b" * 32))

    assert inspection.coverage.cached == 0
    assert len(finder.seen[1]) == 2
    assert len(cache) == 4


async def test_without_a_key_nothing_is_remembered() -> None:
    cache = Remembering()

    inspection = await _inspect(Finder(), cache=cache, options=InspectionOptions())

    assert cache == {}
    assert inspection.findings[0].segment.content == ""


@pytest.mark.parametrize(
    "refiner", [_refiner(throws=ValueError()), _refiner(throws=DetectorError("r", "full")), _refiner(drops=1)]
)
async def test_a_stage_in_which_one_failed_is_not_remembered(refiner: Finder) -> None:
    cache, good = Remembering(), _refiner(name="good")
    await _inspect(Finder(), good, refiner, cache=cache)

    inspection = await _inspect(Finder(), good, _refiner(), cache=cache)

    assert len(good.seen[1]) == 2
    assert [run.status for run in inspection.runs] == [RunStatus.OK] * 3


async def test_what_is_remembered_holds_no_pointer_and_no_text() -> None:
    cache = Remembering()
    await _inspect(Finder(), texts=[_segment("a secret", "/messages/7/content")], cache=cache)

    assert "secret" not in repr(cache).replace("SECRET", "")
    assert "/messages" not in repr(cache)


async def test_a_detector_that_is_not_cacheable_always_looks() -> None:
    cache, cacheable, other = Remembering(), Finder(), Finder(name="other", cacheable=False)
    await _inspect(cacheable, other, cache=cache)
    inspection = await _inspect(cacheable, other, cache=cache)

    assert [len(seen) for seen in cacheable.seen if seen] == [2]
    assert [len(seen) for seen in other.seen] == [2, 2]
    assert sorted(f.detector for f in inspection.findings) == ["finder", "other"]


async def test_running_out_of_the_decoding_budget_is_told_each_time(builder: ViewBuilder) -> None:
    cache, text = Remembering(), " ".join(f"gur erongi \\n i g n o r e {i}" for i in range(200))
    chain = Chain([Finder()], builder, "1", cache)

    for _ in range(2):
        inspection = await chain.inspect([_segment(text)], InspectionOptions(content_key=KEY))

        assert inspection.coverage.unscanned == {Unscanned.DECODE_BUDGET: 1}


async def test_a_text_beyond_the_bound_is_told_and_not_looked_at() -> None:
    finder = Finder()

    inspection = await _inspect(finder, texts=["x" * (MAX_TEXT + 1), "a secret"])

    assert finder.seen == [["a secret"]]
    assert inspection.coverage.unscanned == {Unscanned.OVERSIZE: 1}
    assert inspection.coverage.scanned == 1


async def test_what_crosses_a_joint_is_reported_without_a_place_and_the_rest_by_its_part_alone() -> None:
    parts = [_segment("one secret, one sec", "/0"), _segment("ret more", "/1")]

    inspection = await _inspect(Finder(), texts=[*parts, *seams([parts])])

    assert [(f.segment.pointer, f.segment.kind, f.hit.span) for f in inspection.findings] == [
        ("/0", Kind.TEXT, Span(4, 10)),
        ("/1", Kind.SEAM, None),
    ]


async def test_what_crosses_many_joints_is_one_finding() -> None:
    parts = [_segment(letter, f"/{i}") for i, letter in enumerate("a secret")]

    inspection = await _inspect(Finder(), Finder(name="again"), texts=[*parts, *seams([parts])])

    assert [(f.detector, f.hit.span) for f in inspection.findings] == [("finder", None), ("again", None)]


async def test_a_text_that_is_one_hit_is_not_reported_again_with_words_from_either_side() -> None:
    class Words(Finder):
        """Finds every address with whatever letters it is joined to, as a pattern of addresses does."""

        async def inspect(self, batch: Sequence[Sequence[View]], context: InspectionContext) -> Sequence[Sequence[Hit]]:
            return [[hit for view in views for hit in self.look(view)] for views in batch]

        def look(self, view: View) -> list[Hit]:
            return [_hit("ADDRESS", view.to_source(Span(*m.span()))) for m in re.finditer(r"\w+@\w+\.\w+", view.text)]

    whole = [_segment(text, f"/{i}") for i, text in enumerate(("find her", "dora@acme.example", "none"))]
    split = [_segment(text, f"/{i}") for i, text in enumerate(("find dora", "@acme", ".example"))]

    for parts, found in ((whole, {"/1"}), (split, {"/2"})):
        inspection = await _inspect(Words(), texts=[*parts, *seams([parts])])
        assert {finding.segment.pointer for finding in inspection.findings} == found


async def test_a_hit_without_a_span_in_a_seam_is_kept() -> None:
    class Vague(Finder):
        async def inspect(self, batch: Sequence[Sequence[View]], context: InspectionContext) -> Sequence[Sequence[Hit]]:
            return [[_hit("VAGUE", None)] for _ in batch]

    parts = [_segment("a"), _segment("b", "/1")]

    assert len((await _inspect(Vague(), texts=seams([parts]))).findings) == 1


async def test_an_inspection_of_nothing_still_accounts_for_every_detector() -> None:
    inspection = await _inspect(Finder(), _refiner(), texts=[])

    assert [(run.detector, run.status) for run in inspection.runs] == [
        ("finder", RunStatus.OK),
        ("refiner", RunStatus.OK),
    ]
    assert inspection.findings == ()


def test_the_content_hash_is_keyed_and_of_the_text_alone() -> None:
    ours = reference(_segment("a\ud800"), KEY)

    assert ours.content == reference(_segment("a\ud800", "/9"), KEY).content
    assert ours.content != reference(_segment("a\ud800"), b"x" * 32).content
    assert ours.content != reference(_segment("b"), KEY).content
    assert len(ours.content) == 32


async def test_concurrent_inspections_do_not_mix() -> None:
    chain = Chain([Finder(waits=0.001), _refiner(waits=0.001)], ViewBuilder([]), "1", Remembering())

    inspections = await asyncio.gather(
        *(chain.inspect([_segment(f"{i} secret", f"/{i}")], InspectionOptions(content_key=KEY)) for i in range(20))
    )

    assert [[f.segment.pointer for f in i.findings] for i in inspections] == [[f"/{n}"] * 2 for n in range(20)]
