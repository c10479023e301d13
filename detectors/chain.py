"""Run the detectors by cost over what was not seen before, and account for every one of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Protocol, TypeVar

from detectors.aside import Aside
from detectors.asking import Asking
from detectors.batch import Batch, StageHits, stage_hits
from detectors.elsewhere import Occasion
from detectors.frozen import statically_frozen
from detectors.glance import Glance
from detectors.memory import DetectionEngine, FindingsCache, Memory, SharedFindings, Told
from detectors.plan import Plan, plans_of
from detectors.runs import look, skipped
from detectors.types import (
    Coverage,
    Detector,
    DetectorRun,
    Finding,
    Hit,
    InspectionContext,
    RunStatus,
    Segment,
    Stage,
)
from detectors.undecided import SPENT
from detectors.views import ViewBuilder


class StageGate(Protocol):
    """Says, for one policy, whether a stage can still change the outcome. It holds up no required detector."""

    def skip(self, stage: Stage, findings: Sequence[Finding]) -> str | None:
        """Return the reason to leave out a whole stage, None to go on to its texts."""

    def wanted(self, stage: Stage, segment: Segment, hits: Sequence[Hit]) -> bool:
        """Tell whether an expensive stage is to look at a segment, of which `hits` is all that is claimed so far."""


REFINER_SECONDS: Final = 2.0
PATIENT_SECONDS: Final = 60.0  # where no app waits: what is said of a policy must not depend on how busy a machine is
DECIDED: Final = "decided"  # why an expensive stage was left out: no text was open
_NOTHING = Coverage()
Result = TypeVar("Result")


@statically_frozen
@dataclass(frozen=True, slots=True)
class InspectionOptions:
    """Whose text it is, how long refiners may take in all (seconds), and who says when enough is known.

    `content_key` keys the hashes of texts (cache keys and `SegmentRef.content`); without it nothing is cached.
    `left_out` is what the segments do not hold, for the receipt: skipped by rule, or unscannable.
    `aside` is where the cheap stages read what is too long for the event loop; without it all is read on the loop.
    `shared` is what other processes know, asked before an expensive stage looks; `engine` another process that looks.
    """

    context: InspectionContext = field(default_factory=InspectionContext)
    content_key: bytes = b""
    refiner_deadline: float = REFINER_SECONDS
    gate: StageGate | None = None
    left_out: Coverage = _NOTHING
    aside: Aside | None = None
    shared: SharedFindings | None = None
    engine: DetectionEngine | None = None


@statically_frozen
@dataclass(frozen=True, slots=True)
class Inspection:
    """All that the chain can say about the segments of one direction.

    `failed` holds required detectors that could not look, `undecided` refiners that could not answer; both as runs.
    """

    findings: tuple[Finding, ...] = ()
    runs: tuple[DetectorRun, ...] = ()
    coverage: Coverage = _NOTHING

    @property
    def failed(self) -> tuple[DetectorRun, ...]:
        return tuple(run for run in self.runs if run.required and run.status is not RunStatus.OK)

    @property
    def undecided(self) -> tuple[DetectorRun, ...]:
        return tuple(
            run for run in self.runs if not run.required and run.status not in {RunStatus.OK, RunStatus.SKIPPED}
        )

    @property
    def spent(self) -> bool:
        """Tell whether a refiner left texts alone because its budget is spent: what the others say is all there is."""
        return any(run.status is RunStatus.SKIPPED and run.reason == SPENT for run in self.runs)

    @property
    def degraded(self) -> tuple[str, ...]:
        """The names of all that failed or stayed undecided, sorted."""
        names = {run.detector for run in self.runs if run.status is not RunStatus.OK and not _excused(run)}
        return tuple(sorted(names)) if names else ()


def _excused(run: DetectorRun) -> bool:
    return run.status is RunStatus.SKIPPED and not run.required


class Chain:
    """The detectors of every stage in order. Holds no state but its parts; safe for concurrent exchanges."""

    def __init__(
        self,
        detectors: Sequence[Detector],
        views: ViewBuilder,
        revision: str,
        cache: FindingsCache | None = None,
        clock: Callable[[], float] = time.perf_counter,
        glance: Glance | None = None,
    ) -> None:
        self.detectors, self._plans = tuple(detectors), plans_of(detectors)
        self._views, self._clock = views, clock
        self.refines = any(plan.gated and plan.takes_part is None for plan in self._plans)
        self.memory = Memory(cache)
        self._asking = Asking(self.memory, clock)
        self.revision, self.glance = revision, glance

    async def inspect(self, segments: Sequence[Segment], options: InspectionOptions) -> Inspection:
        """Look at every segment. Never raises for a detector's failure: that is a run with a status."""
        batch = self._batch(segments, options)
        if options.engine is not None and not _added(options):  # an engine looks for what every policy looks for
            await self.memory.be_told(self._plans, batch, options.engine)
        return await self._inspect(batch, options)

    def known(self, segments: Sequence[Segment], options: InspectionOptions) -> Mapping[bytes, StageHits]:
        """Return what cheap stages know of texts by now, as `learn` of another process takes it."""
        return self.memory.known(self._plans, self._batch(segments, options))

    def learn(self, found: Mapping[bytes, StageHits]) -> None:
        """Know from now on what another process knew."""
        self.memory.learn(found)

    async def tell(self, segments: Sequence[Segment], options: InspectionOptions) -> tuple[Inspection, Told]:
        """As `inspect`, for another process that asks: with what each step said, if all of it could look."""
        batch = Batch(segments, self._views, b"", None)  # nobody's texts in particular: nothing of them is remembered
        inspection = await self._inspect(batch, options)
        return inspection, {plan.marks()[0]: values for plan, values in batch.said}

    def _batch(self, segments: Sequence[Segment], options: InspectionOptions) -> Batch:
        judging = options.context.judging
        judged_by = b"" if judging is None else judging.tag
        hashing = self.memory.hashing(options.content_key, _added(options))
        return Batch(segments, self._views, options.content_key, hashing, judged_by)

    async def _inspect(self, batch: Batch, options: InspectionOptions) -> Inspection:
        findings: list[Finding] = []
        runs: list[DetectorRun] = []
        for plan in self._plans:
            if plan.takes_part is not None and not plan.takes_part(options.context):
                continue
            reason = None
            if options.gate is not None:  # which makes a verdict of what may be tens of thousands of findings
                reason = await _aside(options, partial(options.gate.skip, plan.stage, findings))
            if reason is not None and not plan.required:
                # What the stage had no use for anyway is no gap: its answer, too, would have been nothing.
                unread = 0 if plan.wants is None or _wanted(plan, batch, None) else len(batch.inspectable)
                runs += [skipped(d, reason, unread) for d in plan.members]
                continue
            deciding = partial(_wanted, plan, batch, options.gate)
            wanted = await _aside(options, deciding) if plan.gated else batch.inspectable
            if not wanted and batch.inspectable:
                runs += [skipped(d, DECIDED, len(batch.inspectable)) for d in plan.members]
                continue
            look = self._look(plan, wanted, batch, options, runs)
            if options.aside is not None and (
                plan.stage is Stage.PATTERN or (plan.required and not plan.stage.expensive)
            ):
                findings = await options.aside.run(partial(_to_its_end, look))
            else:
                findings = await look
            if plan.remembered and batch.keyed:  # counted here, because the pattern stage may look in another thread
                told = batch.told.get(plan.marks()[0], 0) if batch.told else 0
                self.memory.count(plan, len(wanted) - batch.unseen, batch.unseen, told)
        return Inspection(tuple(findings), tuple(runs), batch.coverage(options.left_out))

    async def _look(
        self, plan: Plan, wanted: Sequence[int], batch: Batch, options: InspectionOptions, runs: list[DetectorRun]
    ) -> list[Finding]:
        """Run one stage over what it has not seen before of `wanted`; return all that is found by now."""
        if plan.remembered:
            unseen = self.memory.recall(plan, wanted, batch)
            batch.unseen = len(unseen)
            if plan.gated:
                left_out = len(batch.inspectable) - len(wanted)
                occasion = Occasion(options.context, options.shared, _seconds_left(options, runs), left_out)
                runs.append(await self._asking.ask(plan, unseen, batch, occasion))
            elif unseen:
                values = await self._run_all(plan.remembered, unseen, batch, options, runs)
                batch.looked.update(unseen)
                batch.said.append((plan, values))
                self.memory.remember(plan, values, batch)
            else:  # all is known: nobody has to look
                runs += plan.recalled
        for detector, reads, unread in plan.fresh:
            own = [i for i in wanted if reads(batch.segments[i], options.context)]
            if own:
                await self._run_all([detector], own, batch, options, runs)
            else:
                runs.append(unread)
        # A cheap stage is there already, whole.
        return await _aside(options, batch.findings) if plan.gated else batch.findings()

    async def _run_all(
        self,
        detectors: Sequence[Detector],
        unseen: Sequence[int],
        batch: Batch,
        options: InspectionOptions,
        runs: list[DetectorRun],
    ) -> Mapping[int, StageHits]:
        """Run detectors over the `unseen` segments. Return what may be remembered: nothing, if one could not look."""
        views = [batch.lattice(i).views for i in unseen]
        outcomes: list[tuple[str, Sequence[tuple[Hit, ...]]]] = []
        whole = True
        for detector in detectors:
            seconds = 0.0 if detector.required else _seconds_left(options, runs)
            run, hits = await look(detector, views, options.context, seconds, self._clock)
            runs.append(run)
            if hits is None:
                whole = False
            elif run.hits:
                outcomes.append((run.detector, hits))
        values: dict[int, StageHits] = {}
        for position, index in enumerate(unseen):
            found = {name: hits[position] for name, hits in outcomes if hits[position]} if outcomes else {}
            values[index] = stage_hits(found, exhausted=batch.lattice(index).exhausted)
            batch.add(index, values[index])
        return values if whole else {}


async def _aside(options: InspectionOptions, work: Callable[[], Result]) -> Result:
    """Return what `work` returns, which the event loop does not wait for where there is much to read."""
    return work() if options.aside is None else await options.aside.run(work)


def _added(options: InspectionOptions) -> str:
    """Return what tells apart what a policy adds to what is looked for; nothing, if it adds nothing."""
    lexicon = options.context.lexicon
    return "" if lexicon is None else lexicon.revision


def _seconds_left(options: InspectionOptions, runs: Sequence[DetectorRun]) -> float:
    """Refiners share one deadline."""
    return options.refiner_deadline - sum([run.seconds for run in runs if not run.required])


def _wanted(plan: Plan, batch: Batch, gate: StageGate | None) -> Sequence[int]:
    """Return the segments that an expensive stage is to look at: those that its detector and the policy leave open."""
    wants, segments = plan.wants, batch.segments
    if wants is None and gate is None:
        return batch.inspectable
    wanted: list[int] = []
    for index in batch.inspectable if wants is None else batch.claimed:
        hits = [hit for _, hit in batch.claims(index)]
        if wants is not None and not wants(segments[index], hits):
            continue
        if gate is None or gate.wanted(plan.stage, segments[index], hits):
            wanted.append(index)
    return wanted


def _to_its_end(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine that never waits, as no detector of a cheap stage does, outside of any event loop."""
    try:
        work.send(None)
    except StopIteration as done:
        result: Result = done.value
        return result
    work.close()
    raise RuntimeError("a detector of a cheap stage waits")
