"""The decision: findings and a policy in, a verdict out. Pure: the same arguments always give the same verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

from detectors.chain import Inspection
from detectors.types import Direction, Finding, Span, Unscanned
from policies.exclusions import excused
from policies.types import (
    Action,
    ActionName,
    Edit,
    Effect,
    Facts,
    FailureMode,
    Judged,
    Mode,
    Policy,
    StopReason,
    Verdict,
)

Actions = Mapping[ActionName, Action]
_NO_EFFECT = Effect()


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
    today = datetime.fromtimestamp(facts.at, UTC).date()
    counted, pardoned = list[Finding](), list[Finding]()
    for finding in inspection.findings:
        (pardoned if excused(finding, policy.exclusions, today) else counted).append(finding)
    judged = tuple(_judge(finding, policy) for finding in counted)
    outcome = _merge(judged, actions)
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


@dataclass(frozen=True, slots=True)
class _Outcome:
    action: ActionName
    effect: Effect
    reason: StopReason | None = None


def _judge(finding: Finding, policy: Policy) -> Judged:
    """Among the rules that match, the heaviest action counts; the first rule that asks for it is named.

    What the model says of itself, nobody could restore: in an answer a pseudonym is a mask.
    """
    best, named = ActionName.ALLOW, ""
    for rule in policy.rules:
        if rule.action.weight > best.weight and rule.match.holds(finding):
            best, named = rule.action, rule.id
    if best is ActionName.PSEUDONYMISE and finding.segment.direction is Direction.RESPONSE:
        best = ActionName.MASK
    return Judged(finding, best, named)


def _merge(judged: Sequence[Judged], actions: Actions) -> _Outcome:
    stop, labels = False, set[str]()
    edits: list[tuple[int, Edit]] = []
    heaviest = ActionName.ALLOW
    for name, group in _by_action(judged):
        if name is ActionName.ALLOW:
            continue
        effect = actions[name].effect([item.finding for item in group])
        stop = stop or effect.stop
        labels |= set(effect.labels)
        edits += [(name.weight, edit) for edit in effect.edits]
        heaviest = max(heaviest, name, key=lambda action: action.weight)
    if stop:
        return _Outcome(ActionName.BLOCK, Effect(stop=True, labels=tuple(sorted(labels))), StopReason.FOUND)
    return _Outcome(heaviest, Effect(edits=_united(edits), labels=tuple(sorted(labels))))


def _by_action(judged: Sequence[Judged]) -> Iterable[tuple[ActionName, list[Judged]]]:
    ordered = sorted(judged, key=lambda item: item.action.weight)
    return ((name, list(group)) for name, group in groupby(ordered, key=lambda item: item.action))


def _united(weighted: Sequence[tuple[int, Edit]]) -> tuple[Edit, ...]:
    """Edits of one pointer that overlap become one: the heavier action takes the union of the spans."""
    united: list[tuple[int, Edit]] = []
    for weight, edit in sorted(weighted, key=lambda item: (item[1].pointer, item[1].span.start, -item[1].span.end)):
        if united and united[-1][1].pointer == edit.pointer and united[-1][1].span.overlaps(edit.span):
            other_weight, other = united[-1]
            span = other.span.union(edit.span)
            keeper = edit if (weight, _length(edit.span)) > (other_weight, _length(other.span)) else other
            united[-1] = (max(weight, other_weight), Edit(edit.pointer, span, keeper.replacement))
        else:
            united.append((weight, edit))
    return tuple(edit for _, edit in united)


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
