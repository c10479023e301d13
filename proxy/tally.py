"""Many verdicts on the windows of one stream, added up to the one that the record keeps."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from detectors.types import DetectorRun, RunStatus
from policies.types import ActionName, Judged, Verdict
from proxy.screen import Screened

MOST_FINDINGS: Final = 1024  # kept of one stream; more of them change no verdict


class Tally:
    """Adds verdicts as they come, in bounded memory: each finding once, counts summed, the heaviest action."""

    def __init__(self) -> None:
        self._verdict: Verdict | None = None
        self._judged: dict[tuple[str, str, int], Judged] = {}
        self._runs: dict[str, DetectorRun] = {}

    def add(self, screened: Screened, channel: str, base: int) -> None:
        """Take in one window's verdict; windows overlap, so a finding is known by its place in the whole channel."""
        for run in screened.runs:
            self._runs[run.detector] = _sum(self._runs.get(run.detector), run)
        for item in screened.verdict.judged:
            span = item.finding.hit.span
            key = (channel, item.finding.hit.rule_id, base + span.start if span is not None else -1)
            if len(self._judged) < MOST_FINDINGS:
                self._judged.setdefault(key, item)
        self._verdict = screened.verdict if self._verdict is None else _heavier(self._verdict, screened.verdict)

    def total(self) -> Screened | None:
        """Return all that was added as one, or None if nothing was."""
        if self._verdict is None:
            return None
        verdict = replace(self._verdict, judged=tuple(self._judged.values()))
        return Screened(verdict, tuple(self._runs.values()))


def _sum(total: DetectorRun | None, run: DetectorRun) -> DetectorRun:
    if total is None:
        return run
    return replace(
        total,
        status=total.status if run.status is RunStatus.OK else run.status,
        reason=total.reason or run.reason,
        hits=total.hits + run.hits,
        confidence=max(total.confidence, run.confidence),
        seconds=total.seconds + run.seconds,
    )


def _heavier(one: Verdict, other: Verdict) -> Verdict:
    """Return the verdict that stops, else the heavier, with both coverages and all degraded detectors."""
    decisive = max(one, other, key=lambda v: (v.stop_reason is not None, v.intended_action.weight))
    coverage = replace(
        one.coverage,
        scanned=one.coverage.scanned + other.coverage.scanned,
        cached=one.coverage.cached + other.coverage.cached,
        unscanned={**one.coverage.unscanned, **other.coverage.unscanned},
    )
    return replace(
        decisive,
        action=max(one.action, other.action, key=_weight),
        intended_action=max(one.intended_action, other.intended_action, key=_weight),
        coverage=coverage,
        degraded=tuple(sorted({*one.degraded, *other.degraded})),
        excused=one.excused + other.excused,
    )


def _weight(action: ActionName) -> int:
    return action.weight
