"""Every text of a set through the shipped chain and the standard policy: what each stage and the whole made of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from detectors.builtin.classifier import SCORES
from detectors.chain import InspectionOptions
from detectors.lexicon import Lexicon
from detectors.selective import LEANING
from detectors.types import ATTACK, Category, Detector, Finding, InspectionContext, Origin, RunStatus
from policies.engine import decide
from policies.testing import text_segment
from policies.types import ActionName, Facts, Policy, Verdict
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
    model was unsure, whether the transformer read it, how much it asks for harm; and what would have been without the
    transformer: whether it were flagged, what the linear model leaned to, and how many seconds less.
    """

    flagged: dict[str, list[bool]] = field(default_factory=lambda: {name: [] for name in (*STAGES, WHOLE)})
    scores: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    unsure: list[bool] = field(default_factory=list)
    reread: list[bool] = field(default_factory=list)
    harm: list[float] = field(default_factory=list)
    first: list[bool] = field(default_factory=list)
    leaning: list[float] = field(default_factory=list)
    again: list[float] = field(default_factory=list)


async def look_at(rows: Sequence[Labelled], detection: Detection) -> Looked:
    policy = load_named(Path("preset/standard"), detection).policy
    classifier = next(one for one in detection.chain.detectors if one.name == "classifier")
    looked = Looked()
    for row in rows:
        await _look_at_one(row, detection, policy, looked)
        looked.harm.append(await _harm(row, detection, classifier))
    return looked


async def _harm(row: Labelled, detection: Detection, classifier: Detector) -> float:
    views = detection.views.build(text_segment(row.text, row.origin)).views
    (hits,) = await classifier.inspect([views], InspectionContext(lexicon=Lexicon().with_harm()))
    return max((hit.confidence for hit in hits if hit.category is Category.HARMFUL_REQUEST), default=0.0)


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
    looked.flagged[WHOLE].append(_stops(verdict))
    others = [finding for finding in inspection.findings if finding.detector != "transformer"]
    first = decide(policy, replace(inspection, findings=tuple(others)), Facts(at=time.time()), "", detection.actions)
    looked.first.append(_stops(first))
    looked.leaning.append(max(run.confidence for run in inspection.runs if run.detector == "classifier"))
    looked.scores.append(_score(attacks, chances))
    looked.unsure.append(any(0 < run.confidence < LEANING for run in inspection.runs if run.detector == "classifier"))
    asked = [run for run in inspection.runs if run.detector == "transformer"]
    assert all(run.status in {RunStatus.OK, RunStatus.SKIPPED} for run in asked), "the transformer could not look"
    looked.reread.append(any(run.status is RunStatus.OK for run in asked))
    looked.again.append(sum(run.seconds for run in asked))


def _stops(verdict: Verdict) -> bool:
    return verdict.intended_action in {ActionName.BLOCK, ActionName.ERROR}


def _score(attacks: Sequence[Finding], chances: dict[Category, float]) -> float:
    """Return what orders texts: the surest finding; below all findings, what the models lean to, the last one asked."""
    found = max((finding.hit.confidence for finding in attacks), default=0.0)
    return max(found, LEANING * max(chances.values(), default=0.0))
