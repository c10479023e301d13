"""Whether a policy wants streams to wait for phrases, which no secret is, so that nothing of one is seen."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from detectors.types import PHRASES, Category, Direction, Origin
from policies.types import ActionName, Policy, Rule

_SAID: Final = PHRASES | {Category.KEYWORD}  # what a policy lists (`keywords`) may be several words


def waits_for_phrases(policy: Policy, kinds: Collection[str]) -> bool:
    """Tell whether a rule stops or edits answers for what they say, and not only for secrets and addresses in them.

    `kinds` are those of phrases: canaries, quotes and secrets are waited for by themselves.
    """
    return any(_stops_phrases(rule, kinds) for rule in policy.rules)


def _stops_phrases(rule: Rule, kinds: Collection[str]) -> bool:
    match = rule.match
    return (
        rule.action.weight > ActionName.FLAG.weight
        and match.direction is not Direction.REQUEST
        and (not match.origin or Origin.ASSISTANT in match.origin)
        and (not match.kind or not match.kind.isdisjoint(kinds))
        and (not match.category or not match.category.isdisjoint(_SAID))
    )
