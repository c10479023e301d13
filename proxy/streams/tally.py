"""Many verdicts on the windows of one stream, added up to the one that the record keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, TypeVar

from detectors.types import Coverage, DetectorRun, RunStatus
from policies.types import ActionName, CandidateVerdict, Effect, Judged, Verdict
from proxy.screen import Screened

Reason = TypeVar("Reason", bound=str)
MOST_FINDINGS: Final = 1024  # kept of one stream; more of them change no verdict
_SERIOUS: Final = {
    RunStatus.SKIPPED: 0,
    RunStatus.OK: 1,
    RunStatus.TIMEOUT: 2,
    RunStatus.UNAVAILABLE: 2,
    RunStatus.ERROR: 2,
}


class Tally:
    """Adds verdicts as they come, in bounded memory: each finding once, counts summed, the heaviest action."""

    def __init__(self) -> None:
        self._verdict: Verdict | None = None
        self._judged: dict[tuple[str, str, int], Judged] = {}
        self._runs: dict[str, DetectorRun] = {}

    def add(self, screened: Screened, channel: str, base: int) -> None:
        """Take in one window's verdict; windows overlap, so a finding is known by its place in the whole channel."""
        for run in screened.runs:
            self._runs[run.detector] = sum_runs(self._runs.get(run.detector), run)
        for item in screened.verdict.judged:
            span = item.finding.hit.span
            key = (channel, item.finding.hit.rule_id, base + span.start if span is not None else -1)
            known = self._judged.get(key)
            room = known is None and len(self._judged) < MOST_FINDINGS
            if room or (known is not None and _importance(item) > _importance(known)):
                self._judged[key] = item
        self._verdict = screened.verdict if self._verdict is None else _heavier(self._verdict, screened.verdict)

    def total(self) -> Screened | None:
        """Return all that was added as one, or None if nothing was."""
        if self._verdict is None:
            return None
        verdict = replace(self._verdict, judged=tuple(self._judged.values()))
        return Screened(verdict, tuple(self._runs.values()))


def _importance(item: Judged) -> tuple[int, float]:
    return item.action.weight, item.finding.hit.confidence


def sum_runs(total: DetectorRun | None, run: DetectorRun) -> DetectorRun:
    """Return two accounts of one detector as one: sums, and the worst status (whoever looked at all has looked)."""
    if total is None:
        return run
    return DetectorRun(
        total.detector,
        total.stage,
        total.required,
        total.status if run.status is total.status else max(total.status, run.status, key=_SERIOUS.__getitem__),
        total.hits + run.hits,
        max(total.confidence, run.confidence),
        total.seconds + run.seconds,
        total.reason or run.reason,
        total.left_out + run.left_out,
    )


def _heavier(one: Verdict, other: Verdict) -> Verdict:
    """Return the verdict that stops, else the heavier, with both coverages and all degraded detectors."""
    decisive = max(one, other, key=lambda v: (v.stop_reason is not None, v.intended_action.weight))
    coverage = Coverage(
        one.coverage.scanned + other.coverage.scanned,
        one.coverage.cached + other.coverage.cached,
        _added(one.coverage.skipped, other.coverage.skipped),
        _added(one.coverage.unscanned, other.coverage.unscanned),
    )
    return replace(
        decisive,
        action=max(one.action, other.action, key=_weight),
        intended_action=max(one.intended_action, other.intended_action, key=_weight),
        coverage=coverage,
        degraded=tuple(sorted({*one.degraded, *other.degraded})),
        excused=(one.excused + other.excused)[:MOST_FINDINGS],
        unscanned=tuple(sorted({*one.unscanned, *other.unscanned})),
        review=one.review or other.review,
        candidate=_heavier_candidate(one, other),
        effect=_labelled(decisive.effect, other.effect if decisive is one else one.effect),
    )


def _heavier_candidate(one: Verdict, other: Verdict) -> CandidateVerdict | None:
    known = [verdict.candidate for verdict in (one, other) if verdict.candidate is not None]
    return max(known, key=lambda candidate: candidate.action.weight, default=None)


def _labelled(effect: Effect, other: Effect) -> Effect:
    if not other.labels:
        return effect
    return replace(effect, labels=tuple(sorted({*effect.labels, *other.labels})))


def _added(one: Mapping[Reason, int], other: Mapping[Reason, int]) -> Mapping[Reason, int]:
    return {reason: one.get(reason, 0) + other.get(reason, 0) for reason in (*one, *other)}


def _weight(action: ActionName) -> int:
    return action.weight
