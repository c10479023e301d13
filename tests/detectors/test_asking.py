"""Expensive detectors: asked about each text once, whoever wants to know, and whatever becomes of who asked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from detectors.batch import StageHits
from detectors.chain import Chain, Inspection, InspectionOptions
from detectors.errors import DetectorError
from detectors.memory import Lookup
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
    Stage,
    View,
)
from detectors.views import ViewBuilder
from storage.cache import LruFindingsCache

KEY, OTHER = b"k" * 32, b"o" * 32
HIT = Hit("PS-T-001", "WORD", Category.JAILBREAK, Severity.HIGH, 0.9, None, (), "A test")


@dataclass
class Judge:
    """Says of every text that it is bad, when it is let to."""

    name: str = "judge"
    stage: Stage = Stage.JUDGE
    required: bool = False
    cacheable: bool = True
    revision: str = "1"
    throws: BaseException | None = None
    asked: list[str] = field(default_factory=list)
    answers: asyncio.Event = field(default_factory=asyncio.Event)

    async def inspect(self, batch: Sequence[Sequence[View]], context: InspectionContext) -> Sequence[Sequence[Hit]]:
        self.asked += [views[0].segment.text for views in batch]
        await self.answers.wait()
        if self.throws is not None:
            raise self.throws
        return [[HIT] for _ in batch]


@dataclass
class Shared:
    """What other processes know: a dict by tenant."""

    known: dict[tuple[int, bytes], StageHits] = field(default_factory=dict)
    claimed: dict[tuple[int, bytes], float] = field(default_factory=dict)
    questions: int = 0

    async def get_many(self, tenant_id: int, keys: Sequence[bytes]) -> Sequence[StageHits | None]:
        self.questions += 1
        return [self.known.get((tenant_id, key)) for key in keys]

    async def put_many(self, tenant_id: int, stage: Stage, found: Mapping[bytes, StageHits]) -> None:
        self.known |= {(tenant_id, key): value for key, value in found.items()}

    async def claim(self, tenant_id: int, keys: Sequence[bytes], seconds: float) -> Sequence[bool]:
        now = asyncio.get_running_loop().time()
        ours = [self.claimed.get((tenant_id, key), 0.0) <= now for key in keys]
        self.claimed |= {(tenant_id, key): now + seconds for key, mine in zip(keys, ours, strict=True) if mine}
        return ours

    async def release(self, tenant_id: int, keys: Sequence[bytes]) -> None:
        for key in keys:
            self.claimed.pop((tenant_id, key), None)


def chain_of(judge: Judge) -> Chain:
    return Chain([judge], ViewBuilder([]), "1", LruFindingsCache())


async def inspect(
    chain: Chain, *texts: str, key: bytes = KEY, deadline: float = 2.0, shared: Shared | None = None
) -> Inspection:
    segments = [
        Segment(Direction.REQUEST, Origin.USER, Kind.TEXT, Place.VALUE, f"/{i}", text) for i, text in enumerate(texts)
    ]
    context = InspectionContext(7 if key == KEY else 8)
    return await chain.inspect(segments, InspectionOptions(context, key, deadline, shared=shared))


async def soon(judge: Judge) -> None:
    """Let all who ask begin, then let the judge answer."""
    for _ in range(5):
        await asyncio.sleep(0)
    judge.answers.set()


async def test_sixteen_who_ask_about_one_text_at_once_cause_one_call_and_get_the_same() -> None:
    judge = Judge()
    chain = chain_of(judge)

    *inspections, _ = await asyncio.gather(*(inspect(chain, "new") for _ in range(16)), soon(judge))

    assert judge.asked == ["new"]
    assert {(i.runs[0].status, i.runs[0].hits, len(i.findings)) for i in inspections if i} == {(RunStatus.OK, 1, 1)}
    assert chain.memory.counts[Stage.JUDGE] == [0, 0, 15, 1, 0]


async def test_another_tenants_question_is_another_one() -> None:
    judge = Judge()
    chain = chain_of(judge)

    await asyncio.gather(inspect(chain, "new"), inspect(chain, "new", key=OTHER), soon(judge))

    assert judge.asked == ["new", "new"]


async def test_a_text_twice_in_one_request_is_asked_about_once() -> None:
    judge = Judge()

    inspection, _ = await asyncio.gather(inspect(chain_of(judge), "new", "other", "new"), soon(judge))

    assert judge.asked == ["new", "other"]
    assert [finding.segment.pointer for finding in inspection.findings] == ["/0", "/1", "/2"]


async def test_those_who_joined_a_question_that_failed_have_failed_alike_and_nothing_is_remembered() -> None:
    judge = Judge(throws=DetectorError("judge", "breaker"))
    chain = chain_of(judge)

    *inspections, _ = await asyncio.gather(*(inspect(chain, "new") for _ in range(3)), soon(judge))
    again = await inspect(chain, "new")

    accounts = {(i.runs[0].status, i.runs[0].reason) for i in [*inspections, again] if i}
    assert accounts == {(RunStatus.UNAVAILABLE, "breaker")}
    assert judge.asked == ["new", "new"]


async def test_if_who_asked_is_cancelled_another_one_asks() -> None:
    judge = Judge()
    chain = chain_of(judge)
    async with asyncio.TaskGroup() as group:
        first = group.create_task(inspect(chain, "new"))
        others = [group.create_task(inspect(chain, "new")) for _ in range(3)]
        for _ in range(3):
            await asyncio.sleep(0)
        first.cancel()
        await soon(judge)

    assert judge.asked == ["new", "new"]
    assert [task.result().runs[0].status for task in others] == [RunStatus.OK] * 3


async def test_who_joined_waits_no_longer_than_his_own_deadline() -> None:
    judge = Judge()
    chain = chain_of(judge)
    async with asyncio.TaskGroup() as group:
        patient = group.create_task(inspect(chain, "new"))
        await asyncio.sleep(0)
        hasty = await inspect(chain, "new", deadline=0.001)
        judge.answers.set()

    assert (hasty.runs[0].status, hasty.runs[0].reason) == (RunStatus.TIMEOUT, "deadline")
    assert patient.result().runs[0].status is RunStatus.OK


async def test_what_another_process_knows_is_not_asked_again_and_costs_one_question() -> None:
    judge, shared = Judge(), Shared()
    judge.answers.set()
    await inspect(chain_of(judge), "a", "b", shared=shared)

    elsewhere = chain_of(judge)
    inspection = await inspect(elsewhere, "a", "b", shared=shared)
    await inspect(elsewhere, "a", "b", shared=shared)

    assert judge.asked == ["a", "b"]
    assert shared.questions == 2
    assert len(inspection.findings) == 2
    assert inspection.coverage.cached == 2
    assert elsewhere.memory.counts[Stage.JUDGE][Lookup.SHARED] == 2


async def test_of_all_processes_one_asks_a_judge_and_the_others_hear_the_answer() -> None:
    judge, shared = Judge(), Shared()
    chains = [chain_of(judge) for _ in range(4)]

    *inspections, _ = await asyncio.gather(*(inspect(c, "new", shared=shared) for c in chains * 4), soon(judge))

    assert judge.asked == ["new"]
    assert {len(inspection.findings) for inspection in inspections if inspection} == {1}
    assert shared.claimed == {}


async def test_if_the_one_that_asks_is_cancelled_another_process_asks() -> None:
    judge, shared = Judge(), Shared()
    async with asyncio.TaskGroup() as group:
        first = group.create_task(inspect(chain_of(judge), "new", shared=shared))
        other = group.create_task(inspect(chain_of(judge), "new", shared=shared))
        for _ in range(5):
            await asyncio.sleep(0)
        first.cancel()
        await soon(judge)

    assert judge.asked == ["new", "new"]
    assert other.result().runs[0].status is RunStatus.OK


async def test_a_process_that_fell_while_asking_holds_up_nobody_for_good() -> None:
    judge, shared = Judge(), Shared()
    judge.answers.set()
    await inspect(chain_of(judge), "new", shared=shared)
    await shared.claim(7, [key for _, key in shared.known], 0.06)
    shared.known.clear()

    inspection = await inspect(chain_of(judge), "new", shared=shared, deadline=0.1)

    assert (inspection.runs[0].status, inspection.runs[0].hits) == (RunStatus.OK, 1)


async def test_without_a_key_everybody_asks_for_himself() -> None:
    judge = Judge()
    chain = chain_of(judge)

    await asyncio.gather(inspect(chain, "new", key=b""), inspect(chain, "new", key=b""), soon(judge))

    assert judge.asked == ["new", "new"]


@dataclass
class Reader(Judge):
    """Reads one text after the other, three of them within the time that there is."""

    stage: Stage = Stage.REFINER
    one_by_one: bool = True

    async def inspect(self, batch: Sequence[Sequence[View]], context: InspectionContext) -> Sequence[Sequence[Hit]]:
        self.asked += [views[0].segment.text for views in batch]
        if len(self.asked) % 4 == 0:
            await asyncio.Event().wait()
        return [[] for _ in batch]


class Quick(Reader):
    async def inspect(self, batch: Sequence[Sequence[View]], context: InspectionContext) -> Sequence[Sequence[Hit]]:
        return [[] for _ in batch]


async def test_a_second_try_goes_on_where_time_was_up() -> None:
    reader = Reader()
    chain = chain_of(reader)

    first, second = [await inspect(chain, *"01234", deadline=0.2) for _ in range(2)]

    assert [(run.status, run.reason) for run in first.undecided] == [(RunStatus.TIMEOUT, "deadline")]
    assert reader.asked == ["0", "1", "2", "3", "3", "4"]
    assert second.undecided == ()


async def test_others_have_their_turn_between_thousands_of_texts() -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.ensure_future(others())
    await asyncio.sleep(0)
    before, _ = turns, await inspect(Chain([Quick()], ViewBuilder([]), "1", LruFindingsCache()), *map(str, range(999)))
    beside.cancel()

    assert turns - before >= 30
