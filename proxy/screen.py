"""The screen: one walked body through the chain and the policy, in either direction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from detectors.aside import Aside
from detectors.chain import Chain, Inspection, InspectionOptions, StageGate
from detectors.frozen import statically_frozen
from detectors.glance import UNSEEN, Seen
from detectors.guard import Guard
from detectors.memory import DetectionEngine, Lookup, SharedFindings
from detectors.seams import seams
from detectors.types import Coverage, DetectorRun, Finding, InspectionContext, Segment, Stage
from policies.candidates import decide_both
from policies.engine import Actions
from policies.types import Facts, Mode, Policy, Verdict
from proxy.walk import Walk


@statically_frozen
@dataclass(frozen=True, slots=True)
class Screened:
    """A verdict with the account of the detectors that led to it."""

    verdict: Verdict
    runs: tuple[DetectorRun, ...]

    def with_labels(self, labels: tuple[str, ...]) -> Screened:
        """Return it with the labels of an earlier decision on the same text beside its own."""
        effect = self.verdict.effect
        merged = replace(effect, labels=tuple(sorted({*effect.labels, *labels})))
        return replace(self, verdict=replace(self.verdict, effect=merged))


class Screen:
    """Judges walked bodies. `inspect` is what the chain found, `judge` what the policy makes of it."""

    def __init__(
        self,
        chain: Chain,
        actions: Actions,
        gate: StageGate | None = None,
        shared: SharedFindings | None = None,
        engine: DetectionEngine | None = None,
    ) -> None:
        self._chain, self._actions, self._gate = chain, actions, gate
        self._shared, self._engine = shared, engine
        self._aside = Aside()

    @property
    def aside(self) -> Aside:
        """Where whatever else a long body takes is done, too."""
        return self._aside

    @property
    def revision(self) -> str:
        return self._chain.revision

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
        segments = _with_seams(walk) if aside is None else await aside.run(partial(_with_seams, walk))
        context = InspectionContext(tenant_id, guard)
        options = InspectionOptions(
            context,
            content_key,
            gate=None if sampled else self._gate,
            left_out=left_out,
            aside=aside,
            shared=self._shared,
            engine=self._engine,
        )
        inspection = await self._chain.inspect(segments, options)
        if aside is None:
            return Screened(self._decide(policy, inspection, facts), inspection.runs)
        return Screened(await aside.run(partial(self._decide, policy, inspection, facts)), inspection.runs)

    def weigh(self, findings: tuple[Finding, ...], policy: Policy, facts: Facts) -> Verdict:
        """Return what the policy makes of findings that no detector of the chain made."""
        return self._decide(policy, Inspection(findings), facts)

    async def glance(self, segment: Segment, before: str, tenant_id: int, guard: Guard | None = None) -> Seen:
        """Return what is to be seen in a text at once (`Glance.at`), for streams."""
        glance = self._chain.glance
        return UNSEEN if glance is None else await glance.at(segment, InspectionContext(tenant_id, guard), before)

    def _decide(self, policy: Policy, inspection: Inspection, facts: Facts) -> Verdict:
        return decide_both(policy, inspection, facts, self.revision, self._actions)


def _with_seams(walk: Walk) -> Sequence[Segment]:
    if len(walk.segments) < 2 or not walk.messages:
        return walk.segments
    return [*walk.segments, *seams(walk.messages)]


def _unread(left_out: Coverage, segments: int) -> Inspection:
    return Inspection(coverage=Coverage(0, 0, {**left_out.skipped, "mode_off": segments}, left_out.unscanned))
