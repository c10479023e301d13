"""Which rules ask for what: each rule of a policy by itself, on the same findings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from detectors.chain import Inspection
from policies.engine import Actions, decide
from policies.types import ActionName, Facts, Policy, Verdict


def asked_alone(
    policy: Policy, inspection: Inspection, facts: Facts, ruleset_revision: str, actions: Actions
) -> Mapping[str, tuple[ActionName, ...]]:
    """Return, by rule id, what the rule alone would ask for each finding that is not excused, in their order.

    The decision itself names one rule for each finding, the first of the heaviest; these are all of them.
    """
    if not inspection.findings:
        return {}
    asked: dict[str, tuple[ActionName, ...]] = {}
    for rule in policy.rules:
        verdict = decide(replace(policy, rules=(rule,)), inspection, facts, ruleset_revision, actions)
        asked[rule.id] = tuple(item.action for item in verdict.judged)
    return asked


def rules_that_decide(verdict: Verdict, asked: Mapping[str, tuple[ActionName, ...]]) -> frozenset[str]:
    """Return the rules that ask for what became of some finding: without the others the verdict would be the same."""
    done = [item.action for item in verdict.judged]
    return frozenset(
        rule
        for rule, wanted in asked.items()
        if any(own is action and own is not ActionName.ALLOW for own, action in zip(wanted, done, strict=True))
    )


def rules_behind(verdict: Verdict, asked: Mapping[str, tuple[ActionName, ...]]) -> tuple[str, ...]:
    """Return the rules that ask for the heaviest of what became of findings, in the policy's order."""
    heaviest = [i for i, item in enumerate(verdict.judged) if item.action is verdict.intended_action]
    return tuple(rule for rule, wanted in asked.items() if any(wanted[i] is verdict.intended_action for i in heaviest))
