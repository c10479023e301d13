"""The screen: one walked body through the chain and the policy, in either direction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from detectors.chain import Chain, Inspection, InspectionOptions, StageGate
from detectors.frozen import statically_frozen
from detectors.seams import seams
from detectors.types import Coverage, DetectorRun, InspectionContext, Segment
from policies.engine import Actions, decide
from policies.types import Facts, Mode, Policy, Verdict
from proxy.walk import Walk


@statically_frozen
@dataclass(frozen=True, slots=True)
class Screened:
    """A verdict with the account of the detectors that led to it."""

    verdict: Verdict
    runs: tuple[DetectorRun, ...]


class Screen:
    """Judges walked bodies. `inspect` is what the chain found, `judge` what the policy makes of it."""

    def __init__(self, chain: Chain, actions: Actions, gate: StageGate | None = None) -> None:
        self._chain, self._actions, self._gate = chain, actions, gate

    @property
    def revision(self) -> str:
        return self._chain.revision

    async def judge(self, walk: Walk, policy: Policy, facts: Facts, tenant_id: int, content_key: bytes) -> Screened:
        """Return the verdict on everything that `walk` met, seams included."""
        segments: Sequence[Segment] = walk.segments
        if len(walk.segments) > 1 and walk.messages:
            segments = [*walk.segments, *seams(walk.messages)]
        inspection = await self._inspect(segments, policy, tenant_id, content_key)
        whole = Inspection(inspection.findings, inspection.runs, _with_walk(inspection.coverage, walk))
        return Screened(decide(policy, whole, facts, self.revision, self._actions), whole.runs)

    async def _inspect(
        self, segments: Sequence[Segment], policy: Policy, tenant_id: int, content_key: bytes
    ) -> Inspection:
        if policy.mode is Mode.OFF:  # walk, count and record only
            return Inspection(coverage=Coverage(skipped={"mode_off": len(segments)}))
        options = InspectionOptions(InspectionContext(tenant_id), content_key, gate=self._gate)
        return await self._chain.inspect(segments, options)


def _with_walk(coverage: Coverage, walk: Walk) -> Coverage:
    """Add to the chain's receipt what the walk left out by rule and what nobody can look at."""
    unscanned = dict(walk.unscanned)
    for reason, count in coverage.unscanned.items():
        unscanned[reason] = unscanned.get(reason, 0) + count
    return Coverage(coverage.scanned, coverage.cached, {**walk.skipped, **coverage.skipped}, unscanned)
