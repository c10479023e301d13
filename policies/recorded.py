"""A decision as the log has it, read back into what it was made of: findings, circumstances, what nobody looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import orjson

from detectors.chain import Inspection
from detectors.rules import RuleSet
from detectors.types import (
    Category,
    Coverage,
    DetectorRun,
    Direction,
    Finding,
    Hit,
    Kind,
    Origin,
    Place,
    RunStatus,
    SegmentRef,
    Severity,
    Span,
    Stage,
    Unscanned,
)
from policies.facts import Facts, recalled_facts

NOWHERE: Final = "nowhere"
_ANYWHERE: Final = Span(0, 1)


class Recorded(NamedTuple):
    """The columns of one row that a decision can be made from again. JSON columns are text; `at` is epoch seconds."""

    id: str
    at: float
    tenant: str
    app: str
    key_id: int | None
    dialect: str
    route: str
    model: str
    upstream: str
    streaming: bool
    network: str | None
    outcome: str
    intended_action: str
    scores: str
    scores_overflow: bool
    facts: str
    coverage: str
    degraded: Sequence[str]
    policy_revision: str
    hashed: bool = False  # whether anything of its bodies was kept, if only their hashes

    def circumstances(self) -> Facts:
        kept = {} if self.facts == "{}" else orjson.loads(self.facts)
        return recalled_facts(self.at, self._asdict(), kept, self.network or "")


class Score(NamedTuple):
    """One entry of `scores`: what one rule claimed of one origin, its highest confidence, and how often."""

    direction: str
    origin: str
    category: str
    rule: str
    detector: str
    kind: str
    confidence: float
    severity: str
    place: str
    content: str
    times: int


def scores_of(text: str) -> list[Score]:
    """Read a `scores` column; of older rows, what was not kept then is empty."""
    return [
        Score(
            entry["direction"], entry["origin"], entry["category"], entry["rule"], entry["detector"],
            entry.get("kind", ""), entry["confidence"], entry.get("severity", ""), entry.get("place", Place.VALUE),
            entry.get("content", "").removeprefix("hmac:"), entry.get("count", 1),
        )
        for entry in orjson.loads(text)
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What the rules in force say of their claims beside what rows keep: tags, level, and severity for older rows."""

    tags: Mapping[str, tuple[str, ...]]
    levels: Mapping[str, int]
    severities: Mapping[str, Severity]

    @classmethod
    def of(cls, rules: RuleSet) -> Catalogue:
        signatures = rules.of(Category)
        return cls(
            {signature.id: signature.tags for signature in signatures},
            {signature.id: signature.level for signature in signatures},
            {signature.id: signature.severity for signature in signatures},
        )

    def finding(self, score: Score) -> Finding:
        """Return a finding that is decided as those were that the score stands for."""
        severity = Severity.parse(score.severity) if score.severity else self.severities.get(score.rule, Severity.HIGH)
        hit = Hit(
            rule_id=score.rule,
            kind=score.kind,
            category=Category(score.category),
            severity=severity,
            confidence=score.confidence,
            span=None if score.place == NOWHERE else _ANYWHERE,
            transforms=(),
            message="",
            tags=self.tags.get(score.rule, ()),
            level=self.levels.get(score.rule, 1),
        )
        place = Place.VALUE if score.place == NOWHERE else Place(score.place)
        segment = SegmentRef(Direction(score.direction), Origin(score.origin), Kind.TEXT, place, "", score.content)
        return Finding(hit, segment, score.detector)


def inspections(
    findings: Sequence[Finding], coverage: Mapping[str, Any], degraded: Sequence[str]
) -> tuple[Inspection, ...]:
    """Return what was seen of the request, and of the answer if it was looked at.

    Rows do not tell in which direction a detector failed: the one that came last, since nothing came after a refusal.
    """
    directions = [direction for direction in Direction if direction in coverage]
    seen = []
    for direction in directions:
        last = direction is directions[-1]
        runs = tuple(_failed(name) for name in degraded) if last else ()
        left_out = coverage[direction].get("unscanned", {})
        unscanned = {Unscanned(reason): count for reason, count in left_out.items()}
        own = tuple(finding for finding in findings if finding.segment.direction is direction)
        seen.append(Inspection(own, runs, Coverage(unscanned=unscanned)))
    return tuple(seen)


def _failed(detector: str) -> DetectorRun:
    return DetectorRun(detector, Stage.PATTERN, True, RunStatus.ERROR, 0, 0.0, 0.0, "recorded")
