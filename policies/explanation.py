"""Why a text gets its verdict: what was found, and what each exclusion and rule makes of it, in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

from detectors.chain import Inspection
from detectors.types import DetectorRun, Finding, Severity, Span
from policies.attribution import asked_alone
from policies.engine import Actions, decide
from policies.types import ActionName, Exclusion, Facts, Match, Policy, Rule, Verdict


@dataclass(frozen=True, slots=True)
class Asked:
    """What one rule asks for a finding; where it asks for nothing, `unmet` says which conditions do not hold."""

    rule: str
    action: ActionName
    unmet: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Excuse:
    """An exclusion that names the finding's rule; `unmet` says why it does not excuse it (empty: it does)."""

    until: str
    owner: str
    reason: str
    unmet: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One finding: who claims what, whether it is excused, and what every rule asks, in the policy's order."""

    finding: Finding
    excuses: tuple[Excuse, ...]
    asked: tuple[Asked, ...]
    action: ActionName
    decided_by: str


@dataclass(frozen=True, slots=True)
class Explanation:
    policy: Policy
    verdict: Verdict
    runs: tuple[DetectorRun, ...]
    steps: tuple[Step, ...]


def explain(
    policy: Policy, inspection: Inspection, facts: Facts, ruleset_revision: str, actions: Actions
) -> Explanation:
    """Decide, and say of every finding, surest first, how that came."""
    verdict = decide(policy, inspection, facts, ruleset_revision, actions)
    asked = asked_alone(policy, inspection, facts, ruleset_revision, actions)
    today = datetime.fromtimestamp(facts.at, UTC).date().isoformat()
    steps = [
        Step(
            finding=item.finding,
            excuses=_excuses(item.finding, policy.exclusions, today),
            asked=tuple(_asked(rule, item.finding, asked[rule.id][index]) for rule in policy.rules),
            action=item.action,
            decided_by=item.rule,
        )
        for index, item in enumerate(verdict.judged)
    ]
    steps += [
        Step(finding, _excuses(finding, policy.exclusions, today), (), ActionName.ALLOW, "")
        for finding in verdict.excused
    ]
    ordered = sorted(steps, key=lambda step: (-step.action.weight, -step.finding.hit.confidence))
    return Explanation(policy, verdict, inspection.runs, tuple(ordered))


def _asked(rule: Rule, finding: Finding, action: ActionName) -> Asked:
    if action is not ActionName.ALLOW:
        return Asked(rule.id, action, ())
    unmet = tuple(unmet_conditions(rule.match, finding))
    return Asked(rule.id, action, unmet or ("its circumstances or its condition do not hold",))


def unmet_conditions(match: Match, finding: Finding) -> Iterator[str]:
    """Yield the conditions of a match that a finding does not meet, as `min_confidence 0.8 > 0.65`."""
    hit, segment = finding.hit, finding.segment
    values: Mapping[str, Any] = {
        "category": hit.category, "origin": segment.origin, "direction": segment.direction, "rule": hit.rule_id,
        "kind": hit.kind, "tag": frozenset(hit.tags), "min_confidence": hit.confidence, "min_severity": hit.severity,
        "max_level": getattr(hit, "level", None),
    }  # fmt: skip
    for field in fields(match):
        wanted, found = getattr(match, field.name), values.get(field.name)
        if isinstance(wanted, frozenset):
            has = wanted.isdisjoint(found) if isinstance(found, frozenset) else found not in wanted
            if wanted and has:
                yield f"{field.name} {_listed(wanted)}, not {_shown(found)}"
        elif field.name.startswith("min_"):
            if found is not None and wanted > found:
                yield f"{field.name} {_shown(wanted)} > {_shown(found)}"
        elif field.name.startswith("max_"):
            if wanted is not None and found is not None and wanted < found:
                yield f"{field.name} {_shown(wanted)} < {_shown(found)}"
        elif wanted is not None and wanted != found:
            yield f"{field.name} {_shown(wanted)}, not {_shown(found)}"


def _excuses(finding: Finding, exclusions: Sequence[Exclusion], today: str) -> tuple[Excuse, ...]:
    return tuple(
        Excuse(str(e.until), e.owner, e.reason, tuple(_unmet_by(e, finding, today)))
        for e in exclusions
        if e.rule == finding.hit.rule_id
    )


def _unmet_by(exclusion: Exclusion, finding: Finding, today: str) -> Iterator[str]:
    if str(exclusion.until) < today:
        yield f"ended on {exclusion.until}"
    if exclusion.origin not in {None, finding.segment.origin}:
        yield f"is for origin {exclusion.origin}, not {finding.segment.origin}"
    if exclusion.content not in {None, finding.segment.content}:
        yield "is for another content"


def _listed(values: frozenset[Any]) -> str:
    return "|".join(sorted(_shown(value) for value in values))


def _shown(value: object) -> str:
    if isinstance(value, Severity):
        return value.name.lower()
    if isinstance(value, frozenset):
        return _listed(value) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def as_document(explanation: Explanation) -> dict[str, Any]:
    """Return an explanation as JSON has it; no text that was judged is in it."""
    policy, verdict = explanation.policy, explanation.verdict
    return {
        "policy": policy.id,
        "policy_revision": policy.revision,
        "ruleset_revision": verdict.ruleset_revision,
        "mode": policy.mode,
        "action": verdict.intended_action,
        "enforced_action": verdict.action,
        "stops": verdict.effect.stop,
        "stop_reason": verdict.stop_reason,
        "unscanned": {str(reason): policy.unscanned[reason] for reason in verdict.unscanned},
        "degraded": verdict.degraded,
        "detectors": [
            {"detector": run.detector, "status": run.status, "hits": run.hits, "reason": run.reason}
            for run in explanation.runs
        ],
        "findings": [_step_document(step) for step in explanation.steps],
    }


def _step_document(step: Step) -> dict[str, Any]:
    hit, segment = step.finding.hit, step.finding.segment
    return {
        "rule": hit.rule_id,
        "kind": hit.kind,
        "category": hit.category,
        "severity": hit.severity.name.lower(),
        "confidence": hit.confidence,
        "detector": step.finding.detector,
        "direction": segment.direction,
        "origin": segment.origin,
        "pointer": segment.pointer,
        "span": _span(hit.span),
        "transforms": hit.transforms,
        "message": hit.message,
        "exclusions": [
            {"until": e.until, "owner": e.owner, "reason": e.reason, "applies": not e.unmet, "unmet": e.unmet}
            for e in step.excuses
        ],
        "policy_rules": [{"id": a.rule, "asks": a.action, "unmet": a.unmet} for a in step.asked],
        "action": step.action,
        "decided_by": step.decided_by,
    }


def _span(span: Span | None) -> list[int] | None:
    return None if span is None else [span.start, span.end]
