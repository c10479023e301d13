"""The risk of one request: the score it came with, what it adds, and the policy that a score makes of another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from policies.risk import RiskPolicy
from policies.stepping import stepped_up, suspicion
from policies.types import Policy, Verdict
from storage.limits.risk import RiskScores

_MOST_STEPS: Final = 1000
_HARDLY: Final = 0.05  # what is less than this adds nothing


@dataclass(frozen=True, slots=True)
class Risk:
    """The highest score of one request's session, app and tenant, and where they are kept."""

    score: float
    blocks: bool
    _scores: RiskScores
    _tenant_id: int
    _names: tuple[str, ...]
    _half_life: float

    async def settle(self, verdict: Verdict | None) -> None:
        """Add what was found in the request."""
        added = 0.0 if verdict is None else suspicion(verdict)
        if added >= _HARDLY and self._names:
            await self._scores.add(self._tenant_id, self._names, self._half_life, added)


class Steps:
    """Policies stepped up before: a policy and a step make the same one each time."""

    def __init__(self) -> None:
        self._made: dict[tuple[int, bool, bool], tuple[Policy, Policy]] = {}

    def of(self, policy: Policy, risk: RiskPolicy, score: float) -> Policy:
        step = (id(policy), risk.stricter(score), risk.judged(score))
        known = self._made.get(step)
        if known is not None and known[0] is policy:
            return known[1]
        if len(self._made) >= _MOST_STEPS:
            self._made.clear()
        made = stepped_up(policy, risk, score)
        self._made[step] = (policy, made)  # the policy too: an id is used again
        return made
