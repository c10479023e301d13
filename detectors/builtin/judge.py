"""Language models as the last detector: asked only about texts that the others left open, and only to add to them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Final

from detectors.errors import DetectorError
from detectors.judges.judging import Judging
from detectors.judges.panel import PROMPT_REVISION
from detectors.judges.prompt import LONGEST
from detectors.judges.types import Outcome, Question, Ruling
from detectors.language import guess_language
from detectors.rules import RuleSet
from detectors.signature_scan import SignatureScan
from detectors.types import (
    Category,
    Detector,
    Hit,
    InspectionContext,
    RunStatus,
    Segment,
    Severity,
    Stage,
    View,
)
from detectors.undecided import SPENT, STILL_JUDGING, Undecided

_RULED: Final = "PS-JUDGE-001"
_SUSPICIOUS: Final = "PS-JUDGE-002"
_MOST_QUESTIONS: Final = 32  # of one inspection
_OVERLAP: Final = 500  # characters that two pieces of a long text have in common
_SURE: Final = 0.8


class JudgeDetector:
    """Asks the inspection's panel. What it cannot decide stays undecided, text by text."""

    name = "judge"
    stage = Stage.JUDGE
    required = False
    cacheable = True
    revision = PROMPT_REVISION
    rule_ids = (_RULED, _SUSPICIOUS)

    def build(self, rules: RuleSet, scan: SignatureScan) -> Detector:
        return self

    def takes_part(self, context: InspectionContext) -> bool:
        return context.judging is not None

    async def inspect(self, batch: Sequence[Sequence[View]], context: InspectionContext) -> Sequence[Sequence[Hit]]:
        judging = context.judging
        if judging is None:
            raise DetectorError(self.name, "no_judges")
        asked, waiting = 0, []
        for views in batch:
            segment = views[0].segment
            text = judging.text_for_judges(segment)
            pieces = None if text is None else [*_pieces(text)]
            asked += len(pieces or ())
            too_many = asked > _MOST_QUESTIONS
            reason = "unmaskable" if pieces is None else "too_many_texts" if too_many else ""
            waiting.append(_judged(judging, segment, [] if reason else pieces or [], reason))
        return await asyncio.gather(*waiting)


async def _judged(judging: Judging, segment: Segment, pieces: Sequence[str], reason: str) -> tuple[Hit, ...]:
    if reason:
        return Undecided((), RunStatus.UNAVAILABLE, reason)
    questions = [Question(judging.tenant_id, piece, segment.origin, guess_language(piece)) for piece in pieces]
    outcomes = await asyncio.gather(*(judging.judge(question) for question in questions))
    hits = tuple(hit for outcome in outcomes for hit in _hits(outcome))
    open_ones = [outcome for outcome in outcomes if outcome.ruling is None]
    if not open_ones:
        return hits
    if all(outcome.spent for outcome in open_ones):
        return Undecided(hits, RunStatus.SKIPPED, SPENT)
    late = any(outcome.late for outcome in open_ones)
    return Undecided(hits, RunStatus.UNAVAILABLE, STILL_JUDGING if late else "nobody_answered")


def _pieces(text: str) -> Iterator[str]:
    """Yield a text in pieces that a judge reads at once; what stands where two meet is in both."""
    for start in range(0, max(1, len(text) - _OVERLAP), LONGEST - _OVERLAP):
        yield text[start : start + LONGEST]


def _hits(outcome: Outcome) -> Iterator[Hit]:
    ruling = outcome.ruling
    if ruling is not None and ruling.category is not None:
        yield _hit(ruling, ruling.category)
    elif ruling is None and outcome.suspicious:
        message = "a judge answered in a way that the text may have made it answer"
        yield Hit(_SUSPICIOUS, "JUDGE_DERAILED", Category.PROMPT_INJECTION, Severity.MEDIUM, 0.5, None, (), message)


def _hit(ruling: Ruling, category: Category) -> Hit:
    severity = Severity.HIGH if ruling.confidence >= _SURE else Severity.MEDIUM
    message = f"a judge takes this for {category}"
    return Hit(_RULED, "JUDGED", category, severity, ruling.confidence, None, (), message, (f"judge.{ruling.judge}",))


DETECTOR: Final = JudgeDetector()
