"""What follows from a high risk: the policy that is held to instead, and the finding that lets nothing pass. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from detectors.types import ATTACK, Category, Direction, Finding, Hit, Kind, Origin, Place, SegmentRef, Severity
from policies.judging import JudgePolicy
from policies.risk import RiskPolicy
from policies.types import ActionName, Match, Policy, Rule, Verdict

RULE_ID: Final = "PS-RISK-001"
DETECTOR: Final = "risk"
_USERS: Final = frozenset({Origin.USER, Origin.TOOL, Origin.UNKNOWN})
_RULE: Final = Rule("risk", Match(rule=frozenset({RULE_ID})), ActionName.BLOCK)


def risk_rules(risk: RiskPolicy | None) -> list[Rule]:
    """Return the rule that stops whose risk is too high."""
    return [_RULE] if risk is not None and risk.block_at is not None else []


def stepped_up(policy: Policy, risk: RiskPolicy, score: float) -> Policy:
    """Return the policy as it is for a score: it looks deeper, asks judges about every text, or is itself. Pure."""
    lexicon, judges = policy.lexicon, policy.judges
    if risk.stricter(score):
        lexicon = lexicon.deeper(dict.fromkeys(_USERS, risk.strict_level))
    if risk.judged(score) and judges is not None:
        judges = _always(judges)
    if lexicon is policy.lexicon and judges is policy.judges:
        return policy
    return replace(policy, lexicon=lexicon, judges=judges)


def _always(judges: JudgePolicy) -> JudgePolicy:
    return replace(judges, always_origins=judges.always_origins | _USERS)


def suspicion(verdict: Verdict) -> float:
    """Return what one request adds to a score, 0 to 1: the sum, over the rules that found attacks in it, of each one's
    highest confidence. What was blocked counts like what was nearly.
    """
    best: dict[str, float] = {}
    for item in verdict.judged:
        hit = item.finding.hit
        if hit.category in ATTACK and hit.rule_id != RULE_ID and hit.confidence > best.get(hit.rule_id, 0.0):
            best[hit.rule_id] = hit.confidence
    return min(1.0, sum(best.values()))


def risk_finding() -> Finding:
    """Return what is found where a score is too high, whatever the request says."""
    message = "Too many suspicious requests of this session, app or tenant within a short time."
    hit = Hit(RULE_ID, "RISK", Category.JAILBREAK, Severity.HIGH, 1.0, None, (), message)
    return Finding(hit, SegmentRef(Direction.REQUEST, Origin.METADATA, Kind.TEXT, Place.VALUE, "", ""), DETECTOR)
