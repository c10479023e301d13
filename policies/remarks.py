"""What is no error in a policy and still worth knowing: what ends soon, what has ended, what is not enforced."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from policies.types import Exclusion, Policy, Rule

SOON: Final = timedelta(days=14)


def remarks(policy: Policy, today: date) -> tuple[str, ...]:
    """Return one line for each, in the order of the policy. `today` is a day in UTC."""
    found = [line for exclusion in policy.exclusions if (line := _ending(exclusion, today))]
    candidate = policy.candidate
    if candidate is not None and candidate.until < today:
        found.append(f"the candidate ended on {candidate.until}: promote it or remove it")
    elif candidate is not None and candidate.until - today <= SOON:
        found.append(f"the candidate ends on {candidate.until}")
    limits = policy.limits
    for name, limit in (("tokens", limits.tokens), ("cost", limits.cost), ("concurrent", limits.concurrent)):
        if limit is not None:
            found.append(f"limits.{name} is read and held to the ceilings, and not yet enforced")
    found += [
        f"rule '{rule.id}' asks for a {word}, which nobody knows yet" for rule in policy.rules for word in _vain(rule)
    ]
    return tuple(found)


def _vain(rule: Rule) -> list[str]:
    where, named = rule.where, rule.condition.names if rule.condition is not None else frozenset()
    cost = "cost" in named or (where is not None and where.min_cost > 0)
    role = "role" in named or (where is not None and bool(where.role))
    return ["cost"] * cost + ["role"] * role


def _ending(exclusion: Exclusion, today: date) -> str:
    if exclusion.until < today:
        return f"exclusion of {exclusion.rule} ended on {exclusion.until} (owner {exclusion.owner})"
    if exclusion.until - today <= SOON:
        return f"exclusion of {exclusion.rule} ends on {exclusion.until} (owner {exclusion.owner})"
    return ""
