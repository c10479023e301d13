"""The screen: one walked body through the chain and the policy, in either direction."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import Any, Final

from detectors.aside import Aside
from detectors.chain import REFINER_SECONDS, Chain, Inspection, InspectionOptions
from detectors.frozen import statically_frozen
from detectors.glance import UNSEEN, Seen
from detectors.guard import Guard
from detectors.judges.judging import Judging
from detectors.judges.types import Call
from detectors.lexicon import Lexicon
from detectors.memory import DetectionEngine, Lookup, SharedFindings
from detectors.seams import seams
from detectors.types import (
    Coverage,
    DetectorRun,
    Direction,
    Finding,
    Hit,
    InspectionContext,
    Kind,
    Origin,
    Place,
    Segment,
    Stage,
)
from policies.candidates import decide_both
from policies.engine import Actions
from policies.types import ActionName, Facts, Mode, Policy, StopReason, Verdict
from proxy.additions.additions import Additions
from proxy.bodies.walk import Walk
from proxy.judging.judges import Judges
from proxy.judging.open_texts import OpenTexts
from proxy.warming import Sample

Later = Callable[[], Coroutine[Any, Any, "Screened"]]


@statically_frozen
@dataclass(frozen=True, slots=True)
class Screened:
    """A verdict with the account of the detectors and the calls of judges that led to it.

    `later` is there while judges have still to be asked about a text that may go on without them: whoever lets it go
    on must await it, once, and obey the verdict that it returns.
    """

    verdict: Verdict
    runs: tuple[DetectorRun, ...]
    calls: tuple[Call, ...] = ()
    later: Later | None = None

    def as_stop(self) -> Screened:
        """Return it with a verdict that stops on what was found: what it wants done nobody can do."""
        return Screened(self.verdict.as_stop(StopReason.FOUND), self.runs, self.calls)

    def with_labels(self, labels: tuple[str, ...]) -> Screened:
        """Return it with the labels of an earlier decision on the same text beside its own."""
        effect = self.verdict.effect
        merged = replace(effect, labels=tuple(sorted({*effect.labels, *labels})))
        later = None if self.later is None else partial(_labelled, self.later, labels)
        return replace(self, verdict=replace(self.verdict, effect=merged), later=later)


class WhenJudged(StrEnum):
    """When judges are asked: before there is a verdict; where the policy has it so, beside the upstream by whoever
    awaits `later`; or not at all, since a window of a stream is none of the pieces that judges read.
    """

    BEFORE = "before"
    BESIDE = "beside"
    NEVER = "never"


class Screen:
    """Judges walked bodies. `inspect` is what the chain found, `judge` what the policy makes of it."""

    def __init__(
        self,
        chain: Chain,
        actions: Actions,
        judges: Judges | None = None,
        shared: SharedFindings | None = None,
        engine: DetectionEngine | None = None,
        added: Additions | None = None,
    ) -> None:
        self._added = added
        self._chain, self._actions, self._judges = chain, actions, judges
        self._shared, self._engine = shared, engine
        self._aside = Aside()
        self._sample: Sample | None = None

    def take_sample(self) -> Sample | None:
        """Return the first request since the last time."""
        sample, self._sample = self._sample, None
        return sample

    @property
    def aside(self) -> Aside:
        """Where whatever else a long body takes is done, too."""
        return self._aside

    @property
    def revision(self) -> str:
        return self._chain.revision

    @property
    def phrases(self) -> frozenset[str]:
        """The kinds of phrases, for which a glance at a stream does not wait."""
        return frozenset() if self._chain.glance is None else self._chain.glance.phrases

    @property
    def refused_packs(self) -> Mapping[str, str]:
        """Operators' signatures of which the last good ones stay: why, by tenant (`""`: everybody's)."""
        return {} if self._added is None else self._added.failures

    def lookups(self) -> Mapping[tuple[str, str], int]:
        """Return how often texts became known since the process began, by stage and level of the cache."""
        rows = ((Stage(stage), row) for stage, row in enumerate(self._chain.memory.counts) if stage and any(row))
        return {(stage.name.lower(), level.name.lower()): row[level] for stage, row in rows for level in Lookup}

    async def judge(
        self,
        walk: Walk,
        policy: Policy,
        facts: Facts,
        tenant_id: int | None,
        content_key: bytes,
        guard: Guard | None = None,
        *,
        judges: WhenJudged = WhenJudged.BEFORE,
        sampled: bool = False,
    ) -> Screened:
        """Return the verdict on everything that `walk` met, seams included. An answer is held against its `guard`.

        `sampled`: no stage is skipped because the policy in force knows enough, for its candidate's sake.
        """
        left_out = Coverage(0, 0, walk.skipped, walk.unscanned)
        if policy.mode is Mode.OFF:  # walk, count and record only
            inspection = _unread(left_out, len(walk.segments))
            return Screened(self._decide(policy, inspection, facts), inspection.runs)
        aside = self._aside.for_reading(walk.segments)
        segments = with_seams(walk) if aside is None else await aside.run(partial(with_seams, walk))
        judging = None if judges is WhenJudged.NEVER else self._judging(policy, tenant_id)
        postpone = judges is WhenJudged.BESIDE and policy.judges is not None and policy.judges.concurrent
        gate = None
        if judging is not None or self._chain.refines:
            gate = self._gate(policy, facts, content_key, postpone=postpone, sampled=sampled)
        context = InspectionContext(tenant_id, guard, self.lexicon(policy, facts.tenant, tenant_id), judging=judging)
        options = InspectionOptions(
            context,
            content_key,
            _patience(judging),
            gate,
            left_out,
            aside,
            shared=self._shared,
            engine=self._engine,
        )
        if self._sample is None and tenant_id is not None and walk.direction is Direction.REQUEST:
            self._sample = Sample(tenant_id, walk.segments, options)
        inspection = await self._chain.inspect(segments, options)
        calls = () if judging is None else tuple(judging.calls)
        deciding = partial(self._decide, policy, inspection, facts)
        verdict = deciding() if aside is None else await aside.run(deciding)
        if gate is None or not gate.postponed or verdict.effect.stop:
            return Screened(verdict, inspection.runs, calls)
        return self._judged_later(Screened(verdict, inspection.runs, calls), inspection, gate, options, policy, facts)

    def _judged_later(
        self,
        screened: Screened,
        first: Inspection,
        gate: OpenTexts,
        options: InspectionOptions,
        policy: Policy,
        facts: Facts,
    ) -> Screened:
        """Return what is known before judges have read what was put off, with the way to have them read it."""
        key = options.content_key
        again = replace(options, gate=self._gate(policy, facts, key), left_out=Coverage(), aside=None, engine=None)
        later = partial(self._judge_later, first, gate.postponed, again, policy, facts)
        return replace(screened, runs=tuple(run for run in first.runs if run.stage is not Stage.JUDGE), later=later)

    async def _judge_later(
        self, first: Inspection, postponed: Sequence[Segment], options: InspectionOptions, policy: Policy, facts: Facts
    ) -> Screened:
        """Have judges read what was put off, and decide again on all that was found."""
        second = await self._chain.inspect(postponed, options)
        own = tuple(run for run in second.runs if run.stage is Stage.JUDGE)
        names = {run.detector for run in own}
        findings = (*first.findings, *(finding for finding in second.findings if finding.detector in names))
        runs = (*(run for run in first.runs if run.stage is not Stage.JUDGE), *own)
        judging = options.context.judging
        calls = () if judging is None else tuple(judging.calls)
        return Screened(self._decide(policy, Inspection(findings, runs, first.coverage), facts), own, calls)

    def _judging(self, policy: Policy, tenant_id: int | None) -> Judging | None:
        if policy.judges is None or self._judges is None or tenant_id is None:  # nobody's budget pays for it
            return None
        return self._judges.judging(policy.judges, tenant_id)

    def _gate(
        self, policy: Policy, facts: Facts, content_key: bytes, *, postpone: bool = False, sampled: bool = False
    ) -> OpenTexts:
        def certain(findings: Sequence[Finding]) -> bool:
            if sampled:
                return False
            verdict = self._decide(policy, Inspection(tuple(findings)), facts)
            actions = {verdict.intended_action, verdict.candidate.action if verdict.candidate else ActionName.BLOCK}
            return actions == {ActionName.BLOCK}  # for the candidate, too, whose answer is compared

        return OpenTexts(certain, policy.judges, (facts.model, *facts.fallbacks), content_key, postpone=postpone)

    async def foresee(
        self, texts: Sequence[str], policy: Policy, tenant: str, tenant_id: int, content_key: bytes
    ) -> None:
        """Read what leaves as an answer as the next request will bring it back, so that it is known then. Nothing is
        asked elsewhere, because the answer may be waiting; what is long is read when it comes back.
        """
        segments = [
            Segment(Direction.REQUEST, Origin.ASSISTANT, Kind.TEXT, Place.VALUE, "", text)
            for text in texts
            if len(text) >= _WORTH_READING
        ]
        if segments and sum(len(segment.text) for segment in segments) <= MOST_FORESEEN:
            aside = self._aside.for_reading(segments)
            context = InspectionContext(tenant_id, None, self.lexicon(policy, tenant, tenant_id))
            options = InspectionOptions(context, content_key, gate=_LOCAL, aside=aside)
            await self._chain.inspect(segments, options)

    def weigh(self, findings: tuple[Finding, ...], policy: Policy, facts: Facts) -> Verdict:
        """Return what the policy makes of findings that no detector of the chain made."""
        return self._decide(policy, Inspection(findings), facts)

    async def glance(
        self, segment: Segment, before: str, tenant_id: int, guard: Guard | None = None, lexicon: Lexicon | None = None
    ) -> Seen:
        """Return what is to be seen in a text at once (`Glance.at`), for streams."""
        glance = self._chain.glance
        if glance is None:
            return UNSEEN
        return await glance.at(segment, InspectionContext(tenant_id, guard, lexicon), before)

    def lexicon(self, policy: Policy, tenant: str, tenant_id: int | None) -> Lexicon:
        """Return what is looked for beside what ships: the policy's words and levels, the packs, the tenant's head."""
        return policy.lexicon if self._added is None else self._added.lexicon(policy.lexicon, tenant, tenant_id)

    def _decide(self, policy: Policy, inspection: Inspection, facts: Facts) -> Verdict:
        return decide_both(policy, inspection, facts, self.revision, self._actions)


class _Local:
    """A gate for what nobody waits for: nothing is asked that costs money or milliseconds."""

    def skip(self, stage: Stage, findings: Sequence[Finding]) -> str | None:
        return "foreseen" if stage.expensive else None

    def wanted(self, stage: Stage, segment: Segment, hits: Sequence[Hit]) -> bool:
        return False


_LOCAL: Final = _Local()
_WORTH_READING: Final = 64  # characters of one text
MOST_FORESEEN: Final = 64 << 10  # characters of one answer


def with_seams(walk: Walk) -> Sequence[Segment]:
    """Return what of a walk is read: its segments, and where they meet."""
    if len(walk.segments) < 2 or not walk.messages:
        return walk.segments
    return [*walk.segments, *seams(walk.messages)]


def _unread(left_out: Coverage, segments: int) -> Inspection:
    return Inspection(coverage=Coverage(0, 0, {**left_out.skipped, "mode_off": segments}, left_out.unscanned))


def _patience(judging: Judging | None) -> float:
    """Return how long (seconds) refiners may take in all: judges keep their own deadline, behind the others'."""
    return REFINER_SECONDS if judging is None else REFINER_SECONDS + judging.terms.deadline


async def _labelled(later: Later, labels: tuple[str, ...]) -> Screened:
    return (await later()).with_labels(labels)
