"""A policy's rules, sorted by what they can be about, so that a finding meets only those that may match it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from detectors.types import Category, Direction, Finding, Origin
from policies.situation import Situation

if TYPE_CHECKING:  # which has this table in every policy
    from policies.types import Rule

Check = Callable[[Finding, Situation], bool]
_Row = tuple[float, int, "Check | None", "Rule"]


class RuleTable:
    """Heaviest first; among equals in the order of the policy. Filled as kinds of findings turn up."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = sorted(rules, key=lambda rule: -rule.action.weight)
        self._rows: dict[tuple[Category, Origin, Direction], tuple[_Row, ...]] = {}
        # Rules that do more than act: seldom any, and then all that apply count, not the heaviest alone.
        self.adding = tuple(rule for rule in rules if rule.labels or rule.route is not None)
        self.reads_language = any(_reads_language(rule) for rule in rules)
        self.reads_cost = any(_reads_cost(rule) for rule in rules)
        self.reviewed = frozenset(rule.id for rule in rules if rule.review)

    def heaviest(self, finding: Finding, situation: Situation) -> Rule | None:
        """Return the heaviest rule that applies to a finding, the first of those that are equally heavy."""
        hit, segment = finding.hit, finding.segment
        key = (hit.category, segment.origin, segment.direction)
        rows = self._rows.get(key)
        if rows is None:
            rows = self._rows[key] = self._rows_for(*key)
        confidence, severity = hit.confidence, hit.severity
        for least, mildest, check, rule in rows:
            if confidence >= least and severity >= mildest and (check is None or check(finding, situation)):
                return rule
        return None

    def _rows_for(self, category: Category, origin: Origin, direction: Direction) -> tuple[_Row, ...]:
        return tuple(
            (rule.match.min_confidence, int(rule.match.min_severity), _check(rule), rule)
            for rule in self._rules
            if (not rule.match.category or category in rule.match.category)
            and (not rule.match.origin or origin in rule.match.origin)
            and rule.match.direction in {None, direction}
        )


def _reads_language(rule: Rule) -> bool:
    named = rule.condition is not None and "language" in rule.condition.names
    return named or (rule.where is not None and bool(rule.where.language))


def _reads_cost(rule: Rule) -> bool:
    named = rule.condition is not None and "cost" in rule.condition.names
    return named or (rule.where is not None and rule.where.min_cost > 0)


def applies(rule: Rule, finding: Finding, situation: Situation) -> bool:
    """Tell whether a rule is about a finding, here and now."""
    return (
        rule.match.holds(finding)
        and (rule.where is None or situation.allows(rule.where))
        and (rule.condition is None or situation.satisfies(rule.condition, finding))
    )


def _check(rule: Rule) -> Check | None:
    """Return what is left to ask once category, origin, direction, confidence and severity fit; cheapest first."""
    match, where, condition = rule.match, rule.where, rule.condition
    checks: list[Check] = []
    if match.rule:
        checks.append(_member(match.rule, attrgetter("hit.rule_id")))
    if match.kind:
        checks.append(_member(match.kind, attrgetter("hit.kind")))
    if match.tag:
        checks.append(lambda finding, _: not match.tag.isdisjoint(finding.hit.tags))
    if match.max_level is not None:
        most = match.max_level
        checks.append(lambda finding, _: finding.hit.level <= most)
    if where is not None:
        checks.append(lambda _, situation: situation.allows(where))
    if condition is not None:
        checks.append(lambda finding, situation: situation.satisfies(condition, finding))
    if len(checks) > 1:
        return lambda finding, situation: all(check(finding, situation) for check in checks)
    return checks[0] if checks else None


def _member(wanted: frozenset[str], part: Callable[[Finding], Any]) -> Check:
    return lambda finding, _: part(finding) in wanted
