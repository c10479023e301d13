"""What the rules of one decision share: facts, what was found in sum, and what was asked of both already."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from detectors.types import ATTACK, Category, Direction, Finding, Origin, Severity
from policies.facts import Facts
from policies.matcher import Circumstances, Condition

# The words of `if:`, with the value that stands for an ordinary finding in an ordinary request.
_OF_FINDINGS: Final[dict[str, Any]] = {
    "category": str(Category.PROMPT_INJECTION),
    "origin": str(Origin.USER),
    "direction": str(Direction.REQUEST),
    "rule": "PS-INJ-001",
    "kind": "INSTRUCTION_OVERRIDE",
    "detector": "patterns",
    "tags": ["owasp.llm01"],
    "severity": int(Severity.HIGH),
    "confidence": 0.8,
    "level": 1,
    "place": "value",
}
_OF_FACTS: Final[dict[str, Any]] = {
    "tenant": "acme",
    "app": "default",
    "key": 1,
    "roles": [],
    "dialect": "openai_chat",
    "route": "POST /v1/chat/completions",
    "model": "gpt-4o",
    "upstream": "openai",
    "streaming": False,
    "network": "192.0.2.1",
    "language": "en",
    "cost": 0.0,
    "risk": 0.0,
    "score": 0.8,
    "hour": 12,
    "weekday": 0,
}
WORDS: Final = {**_OF_FINDINGS, **_OF_FACTS}


class Situation:
    """Lives for one decision. Every question is answered once, whatever the number of findings."""

    def __init__(self, facts: Facts, findings: Iterable[Finding]) -> None:
        self._facts, self._findings = facts, findings
        self._score: float | None = None
        self._held: dict[int, bool] = {}
        self._satisfied: dict[tuple[object, ...], bool] = {}
        self._values: dict[str, Any] | None = None

    @property
    def score(self) -> float:
        """The sum, over the rules that found attacks, of each one's highest confidence: repeating adds nothing."""
        if self._score is None:
            best: dict[str, float] = {}
            for finding in self._findings:
                hit = finding.hit
                if hit.category in ATTACK and hit.confidence > best.get(hit.rule_id, 0.0):
                    best[hit.rule_id] = hit.confidence
            self._score = sum(best.values())
        return self._score

    def allows(self, where: Circumstances) -> bool:
        known = self._held.get(id(where))
        if known is None:
            known = self._held[id(where)] = where.hold(self._facts, self.score if where.min_score else 0.0)
        return known

    def satisfies(self, condition: Condition, finding: Finding) -> bool:
        """Tell whether a finding meets a condition; of findings that look alike to it, one is asked about."""
        values = values_of(finding)
        asked = [values[name] for name in condition.names if name in values]
        key = (id(condition), *(tuple(value) if isinstance(value, list) else value for value in asked))
        known = self._satisfied.get(key)
        if known is None:
            own = values | self._fact_values()
            known = self._satisfied[key] = condition.holds({name: own[name] for name in condition.names})
        return known

    def _fact_values(self) -> dict[str, Any]:
        if self._values is None:
            facts, now = self._facts, datetime.fromtimestamp(self._facts.at, UTC)
            self._values = {name: getattr(facts, name) for name in _OF_FACTS if hasattr(facts, name)}
            self._values |= {
                "key": facts.key_id or 0,
                "roles": list(facts.roles),
                "score": self.score,
                "hour": now.hour,
                "weekday": now.weekday(),
            }
        return self._values


def values_of(finding: Finding) -> dict[str, Any]:
    """Return what `if:` may read of a finding; never where it stands or what it says, which the client chose."""
    hit, segment = finding.hit, finding.segment
    return {
        "category": str(hit.category),
        "origin": str(segment.origin),
        "direction": str(segment.direction),
        "rule": hit.rule_id,
        "kind": hit.kind,
        "detector": finding.detector,
        "tags": list(hit.tags),
        "severity": int(hit.severity),
        "confidence": float(hit.confidence),
        "level": hit.level,
        "place": str(segment.place),
    }
