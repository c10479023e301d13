"""A tenant's budget for judges: sliding windows of calls and of money, shared by all workers like any other limit."""

from __future__ import annotations

from typing import Final

from detectors.judges.types import Expense
from policies.judging import JudgePolicy
from storage.types import Grant, LimitKey, Limits

CALLS: Final = "judge_calls"
MONEY: Final = "judge_cost"  # in millionths of a US dollar
_PER_DOLLAR: Final = 1_000_000


class TenantPurse:
    """Fills `Purse` of detectors.judges for one tenant under one policy."""

    def __init__(self, limits: Limits, tenant_id: int, policy: JudgePolicy) -> None:
        self._limits = limits
        self._keys = list[LimitKey]()
        if policy.calls is not None:
            self._keys.append(LimitKey(tenant_id, CALLS, policy.calls, policy.calls_seconds))
        if policy.usd is not None:
            most = max(1, round(policy.usd * _PER_DOLLAR))
            self._keys.append(LimitKey(tenant_id, MONEY, most, policy.usd_seconds))

    async def take(self, cost: int) -> Expense | None:
        if not self._keys:
            return _Unlimited()
        amounts = [cost if key.name == MONEY else 1 for key in self._keys]
        grant = await self._limits.take(self._keys, amounts)
        return _Taken(grant) if grant.allowed else None


class _Taken:
    def __init__(self, grant: Grant) -> None:
        self._grant = grant

    def settle(self, cost: int) -> None:
        self._grant.settle({MONEY: cost})


class _Unlimited:
    def settle(self, cost: int) -> None:
        return
