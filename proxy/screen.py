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
        left_out = Coverage(0, 0, walk.skipped, walk.unscanned)
        if policy.mode is Mode.OFF:  # walk, count and record only
            inspection = _unread(left_out, len(segments))
        else:
            options = InspectionOptions(InspectionContext(tenant_id), content_key, gate=self._gate, left_out=left_out)
            inspection = await self._chain.inspect(segments, options)
        return Screened(decide(policy, inspection, facts, self.revision, self._actions), inspection.runs)


def _unread(left_out: Coverage, segments: int) -> Inspection:
    return Inspection(coverage=Coverage(0, 0, {**left_out.skipped, "mode_off": segments}, left_out.unscanned))
