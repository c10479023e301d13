"""What is no error in a policy and still worth knowing: what ends soon, what has ended, what nobody knows."""

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
    found += [f"rule '{rule.id}' asks for a role, which nobody knows yet" for rule in policy.rules if _vain(rule)]
    return tuple(found)


def _vain(rule: Rule) -> bool:
    where, named = rule.where, rule.condition.names if rule.condition is not None else frozenset()
    return "role" in named or (where is not None and bool(where.role))


def _ending(exclusion: Exclusion, today: date) -> str:
    if exclusion.until < today:
        return f"exclusion of {exclusion.rule} ended on {exclusion.until} (owner {exclusion.owner})"
    if exclusion.until - today <= SOON:
        return f"exclusion of {exclusion.rule} ends on {exclusion.until} (owner {exclusion.owner})"
    return ""
