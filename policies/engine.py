"""The decision: findings and a policy in, a verdict out. Pure: the same arguments always give the same verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from detectors.chain import Inspection
from detectors.frozen import statically_frozen
from detectors.types import Direction, Finding, Span, Unscanned
from policies.exclusions import excused
from policies.facts import Facts
from policies.rule_table import RuleTable, applies
from policies.situation import Situation
from policies.types import (
    Action,
    ActionName,
    Edit,
    Effect,
    FailureMode,
    Judged,
    Mode,
    Policy,
    Rule,
    StopReason,
    Verdict,
)

Actions = Mapping[ActionName, Action]
_NO_EFFECT = Effect()
# Members of an enum are looked up by Python code, which would be half of what a finding costs here.
_ALLOW, _PSEUDONYMISE, _MASK, _RESPONSE = (
    ActionName.ALLOW,
    ActionName.PSEUDONYMISE,
    ActionName.MASK,
    Direction.RESPONSE,
)


def decide(policy: Policy, inspection: Inspection, facts: Facts, ruleset_revision: str, actions: Actions) -> Verdict:
    """Judge every finding by itself, merge the effects, then weigh what nobody could look at.

    More findings never make a verdict lighter. Under `mode: monitor` the verdict stops and edits nothing, and
    `intended_action` says what it would have done; under `mode: off` nothing is decided.
    """
    degraded = inspection.degraded
    spent = inspection.spent
    nothing = not inspection.findings and not inspection.coverage.unscanned and not degraded and not spent
    if nothing or policy.mode is Mode.OFF:
        return _nothing(policy, inspection, ruleset_revision)  # most text: nothing to weigh
    counted, pardoned = _parted(inspection.findings, policy, facts.at)
    situation = Situation(facts, counted)
    table = policy.table
    judged = tuple([_judge(finding, table, situation) for finding in counted])
    outcome = _merge(judged, actions)
    if table.adding and counted:
        outcome = _with_additions(outcome, table.adding, counted, situation)
    if inspection.coverage.unscanned:
        outcome = _weigh_unscanned(outcome, policy, inspection.coverage.unscanned)
    if degraded:
        outcome = _weigh_failure(outcome, policy)
    if spent:
        outcome = _Outcome(_at_least_flag(outcome.action), outcome.effect, outcome.reason)
    enforced = policy.mode is Mode.ENFORCE
    return Verdict(
        action=outcome.action if enforced else _lighter(outcome.action),
        intended_action=outcome.action,
        effect=outcome.effect if enforced else Effect(labels=outcome.effect.labels),
        judged=judged,
        coverage=inspection.coverage,
        policy_id=policy.id,
        policy_revision=policy.revision,
        ruleset_revision=ruleset_revision,
        degraded=degraded,
        stop_reason=outcome.reason if enforced else None,
        unscanned=tuple(sorted(inspection.coverage.unscanned)),
        excused=tuple(pardoned),
        review=bool(table.reviewed) and enforced and outcome.effect.stop and _is_reviewed(judged, table),
    )


def _nothing(policy: Policy, inspection: Inspection, ruleset_revision: str) -> Verdict:
    return Verdict(
        action=ActionName.ALLOW,
        intended_action=ActionName.ALLOW,
        effect=_NO_EFFECT,
        judged=(),
        coverage=inspection.coverage,
        policy_id=policy.id,
        policy_revision=policy.revision,
        ruleset_revision=ruleset_revision,
        unscanned=tuple(sorted(inspection.coverage.unscanned)) if inspection.coverage.unscanned else (),
    )


@statically_frozen
@dataclass(frozen=True, slots=True)
class _Outcome:
    action: ActionName
    effect: Effect
    reason: StopReason | None = None


def _is_reviewed(judged: Sequence[Judged], table: RuleTable) -> bool:
    return any(item.rule in table.reviewed for item in judged)


def _parted(findings: Sequence[Finding], policy: Policy, at: float) -> tuple[Sequence[Finding], Sequence[Finding]]:
    """Return the findings that count and those that are excused."""
    if not policy.exclusions:
        return findings, ()
    today, excuses = datetime.fromtimestamp(at, UTC).date(), policy.excuses
    counted, pardoned = list[Finding](), list[Finding]()
    for finding in findings:
        known = excuses.get(finding.hit.rule_id)
        (pardoned if known is not None and excused(finding, known, today) else counted).append(finding)
    return counted, pardoned


def _judge(finding: Finding, table: RuleTable, situation: Situation) -> Judged:
    """Among the rules that match, the heaviest action counts; the first rule that asks for it is named.

    What the model says of itself, nobody could restore: in an answer a pseudonym is a mask.
    """
    rule = table.heaviest(finding, situation)
    if rule is None:
        return Judged(finding, _ALLOW, "")
    action = rule.action
    if action is _PSEUDONYMISE and finding.segment.direction is _RESPONSE:
        action = _MASK
    return Judged(finding, action, rule.id)


def _with_additions(
    outcome: _Outcome, rules: Sequence[Rule], findings: Sequence[Finding], situation: Situation
) -> _Outcome:
    """Add the labels of all rules that apply, and the route of the first that has one. What is stopped goes nowhere."""
    applying = [rule for rule in rules if any(applies(rule, finding, situation) for finding in findings)]
    labels = {*outcome.effect.labels, *(label for rule in applying for label in rule.labels)}
    route = next((rule.route for rule in applying if rule.route is not None), None)
    effect = outcome.effect
    added = Effect(effect.stop, effect.edits, None if effect.stop else route, tuple(sorted(labels)))
    return _Outcome(outcome.action, added, outcome.reason)


def _merge(judged: Sequence[Judged], actions: Actions) -> _Outcome:
    groups: dict[ActionName, list[Finding]] = {}
    for item in judged:
        if item.action is not _ALLOW:
            groups.setdefault(item.action, []).append(item.finding)
    stop, labels = False, set[str]()
    edits: list[tuple[int, Edit]] = []
    heaviest = ActionName.ALLOW
    for name, group in groups.items():
        effect, weight = actions[name].effect(group), name.weight
        stop = stop or effect.stop
        labels.update(effect.labels)
        edits += [(weight, edit) for edit in effect.edits]
        heaviest = name if weight > heaviest.weight else heaviest
    if stop:
        return _Outcome(ActionName.BLOCK, Effect(stop=True, labels=tuple(sorted(labels))), StopReason.FOUND)
    return _Outcome(heaviest, Effect(edits=_united(edits) if edits else (), labels=tuple(sorted(labels))))


def _united(weighted: Sequence[tuple[int, Edit]]) -> tuple[Edit, ...]:
    """Edits of one pointer that overlap become one: the heavier action takes the union of the spans."""
    united: list[tuple[int, Edit]] = []
    for weight, edit in sorted(weighted, key=_place) if len(weighted) > 1 else weighted:
        if united and united[-1][1].pointer == edit.pointer and united[-1][1].span.overlaps(edit.span):
            other_weight, other = united[-1]
            span = other.span.union(edit.span)
            keeper = edit if (weight, _length(edit.span)) > (other_weight, _length(other.span)) else other
            united[-1] = (max(weight, other_weight), Edit(edit.pointer, span, keeper.replacement))
        else:
            united.append((weight, edit))
    return tuple(edit for _, edit in united)


def _place(weighted: tuple[int, Edit]) -> tuple[str, int, int]:
    _, edit = weighted
    return edit.pointer, edit.span.start, -edit.span.end


def _length(span: Span) -> int:
    return span.end - span.start


def _weigh_unscanned(outcome: _Outcome, policy: Policy, unscanned: Mapping[Unscanned, int]) -> _Outcome:
    wanted = max((policy.unscanned[reason] for reason in unscanned), key=lambda a: a.weight, default=ActionName.ALLOW)
    if wanted.weight <= outcome.action.weight:
        return outcome
    if wanted is ActionName.BLOCK:
        return _Outcome(ActionName.BLOCK, Effect(stop=True, labels=outcome.effect.labels), StopReason.UNSCANNED)
    return _Outcome(wanted, outcome.effect, outcome.reason)


def _weigh_failure(outcome: _Outcome, policy: Policy) -> _Outcome:
    """A failed detector never means allow: closed refuses (a block that was found stays one), open at least flags."""
    if outcome.effect.stop:
        return outcome
    if policy.failure_mode is FailureMode.CLOSED:
        return _Outcome(ActionName.ERROR, Effect(stop=True, labels=outcome.effect.labels), StopReason.UNINSPECTED)
    return _Outcome(_at_least_flag(outcome.action), outcome.effect, outcome.reason)


def _at_least_flag(action: ActionName) -> ActionName:
    return max(action, ActionName.FLAG, key=lambda name: name.weight)


def _lighter(action: ActionName) -> ActionName:
    return min(action, ActionName.FLAG, key=lambda name: name.weight)
