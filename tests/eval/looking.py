"""Every text of a set through the shipped chain and the standard policy: what each stage and the whole made of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from detectors.builtin.classifier import SCORES
from detectors.chain import InspectionOptions
from detectors.selective import LEANING
from detectors.types import ATTACK, Category, Finding, InspectionContext, Origin, RunStatus
from policies.engine import decide
from policies.testing import text_segment
from policies.types import ActionName, Facts, Policy
from proxy.app import Detection
from proxy.cli.policy_files import load_named
from tests.eval.sets import Labelled

WHOLE: Final = "whole chain"
STAGES: Final = {
    "signatures": "patterns",
    "linear model": "classifier",
    "transformer": "transformer",
}
# At which confidence the standard policy stops a text, by who wrote it.
THRESHOLDS: Final = {Origin.TOOL: 0.5}
OTHERS: Final = 0.8


@dataclass(slots=True)
class Looked:
    """Of each text of a set, in order: whether a stage flagged it, the chain's score, its seconds, whether the linear
    model was unsure, whether the transformer read it.
    """

    flagged: dict[str, list[bool]] = field(default_factory=lambda: {name: [] for name in (*STAGES, WHOLE)})
    scores: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    unsure: list[bool] = field(default_factory=list)
    reread: list[bool] = field(default_factory=list)


async def look_at(rows: Sequence[Labelled], detection: Detection) -> Looked:
    policy = load_named(Path("preset/standard"), detection).policy
    looked = Looked()
    for row in rows:
        await _look_at_one(row, detection, policy, looked)
    return looked


async def _look_at_one(row: Labelled, detection: Detection, policy: Policy, looked: Looked) -> None:
    chances: dict[Category, float] = {}
    options = InspectionOptions(InspectionContext(shared={SCORES: chances}))
    started = time.perf_counter()
    inspection = await detection.chain.inspect([text_segment(row.text, row.origin)], options)
    verdict = decide(policy, inspection, Facts(at=time.time()), detection.chain.revision, detection.actions)
    looked.seconds.append(time.perf_counter() - started)
    attacks = [finding for finding in inspection.findings if finding.hit.category in ATTACK]
    threshold = THRESHOLDS.get(row.origin, OTHERS)
    for stage, detector in STAGES.items():
        looked.flagged[stage].append(any(f.detector == detector and f.hit.confidence >= threshold for f in attacks))
    looked.flagged[WHOLE].append(verdict.intended_action in {ActionName.BLOCK, ActionName.ERROR})
    looked.scores.append(_score(attacks, chances))
    looked.unsure.append(any(0 < run.confidence < LEANING for run in inspection.runs if run.detector == "classifier"))
    asked = [run for run in inspection.runs if run.detector == "transformer"]
    assert all(run.status in {RunStatus.OK, RunStatus.SKIPPED} for run in asked), "the transformer could not look"
    looked.reread.append(any(run.status is RunStatus.OK for run in asked))


def _score(attacks: Sequence[Finding], chances: dict[Category, float]) -> float:
    """Return what orders texts: the surest finding; below all findings, what the models lean to, the last one asked."""
    found = max((finding.hit.confidence for finding in attacks), default=0.0)
    return max(found, LEANING * max(chances.values(), default=0.0))
