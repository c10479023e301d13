"""What one exchange takes out of its limits: requests and places at the door, tokens and money once it is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from detectors.errors import EdgeError
from policies.types import Policy
from policies.webhooks import LIMIT
from proxy.limits.estimating import NOTHING, Estimate
from proxy.limits.plan import COST, PER_DOLLAR, REQUESTS, TOKENS, Plan, Plans
from proxy.limits.prices import Prices
from proxy.limits.risk import Steps
from proxy.responses import rate_headers, retry_later
from storage.limits.attempts import Attempts
from storage.limits.concurrency import Concurrency, Places
from storage.limits.risk import RiskScores
from storage.limits.spending import Spending
from storage.limits.warned import Warned
from storage.types import Grant, Identity, LimitKey, Limits

_ATTEMPTS: Final = "attempts"
_LIMIT: Final = "limit"  # in the row's facts
_NONE: Final[Mapping[str, Any]] = MappingProxyType({})
_AT_ONCE: Final = 3600  # seconds between two warnings that places run out, which have no window
_BUSY_SECONDS: Final = 1.0  # nobody knows when an exchange ends


@dataclass(frozen=True, slots=True)
class Metering:
    """What a worker's meters share."""

    limits: Limits
    concurrency: Concurrency
    spending: Spending
    attempts: Attempts
    scores: RiskScores
    warned: Warned
    prices: Prices
    plans: Plans
    steps: Steps


class Meter:
    """One exchange's share of its limits. What clients may know of them goes into `headers`, `notes` are for its row.

    `enter`, `spend` and `follow` raise EdgeError 429 and say which limit it was.
    """

    __slots__ = (
        "_estimate", "_grants", "_headers", "_identity", "_metering", "_models", "_passed", "_places", "_plan",
        "_policy", "_taken_over", "_used", "notes", "spends",
    )  # fmt: skip

    def __init__(self, metering: Metering, policy: Policy, identity: Identity, headers: dict[str, str]) -> None:
        self._metering, self._policy, self._identity, self._headers = metering, policy, identity, headers
        self._plan = metering.plans.of(policy.limits, identity)
        self.spends = bool(self._plan.tokens or self._plan.cost or policy.limits.models)
        self._places: Sequence[Places] = ()
        self._grants: Sequence[Grant] = ()
        self._models: tuple[str, ...] = ()
        self._passed = set[LimitKey]()  # windows of models
        self._estimate = NOTHING
        self._taken_over: Mapping[str, int] = _NONE
        self._used = (0, 0)
        self.notes: Mapping[str, object] = _NONE

    async def enter(self) -> None:
        """Take a place, and one request, at every level but the models'."""
        if self._plan.concurrent:
            await self._place(self._plan.concurrent)
        if self._plan.requests:
            await self._take(self._plan.requests, 1, REQUESTS)

    async def spend(self, estimate: Estimate, models: Sequence[str]) -> None:
        """Take what the request is estimated to use."""
        self._estimate = estimate
        await self._spend(self._plan, models)
        await self.follow(models)

    async def follow(self, models: Sequence[str]) -> None:
        """Take what the limits of models want, of those that it was not known before may answer."""
        named = tuple(model for model in models if model not in self._models)
        self._models += named
        plan = self._untaken(self._metering.plans.of_models(self._policy.limits, self._identity, named))
        if plan.concurrent:
            await self._place(plan.concurrent)
        if plan.requests:
            await self._take(plan.requests, 1, REQUESTS)
        await self._spend(plan, named)

    def _untaken(self, plan: Plan) -> Plan:
        """Return what of a plan this exchange has not passed yet: two models may be of one pattern."""
        if self._passed.isdisjoint(plan.all):
            self._passed.update(plan.all)
            return plan
        known = self._passed.copy()
        self._passed.update(plan.all)
        kinds = (plan.requests, plan.tokens, plan.cost, plan.concurrent)
        return Plan(*(tuple(key for key in keys if key not in known) for keys in kinds))

    def take_over(self, charged: Mapping[str, int]) -> None:
        """Let this be the same request as one that came to nothing: what that was charged is not taken twice."""
        self._taken_over = charged

    def settle(self, tokens: int, cost: int) -> None:
        """Say what was really used, all attempts together."""
        self._used, before = (tokens, cost), self._taken_over
        if self.spends:
            used = {
                TOKENS: max(0, tokens - before.get(TOKENS, 0)),
                COST: max(0, cost - before.get(COST, 0)),
            }
            for grant in self._grants:
                grant.settle(used)
        if before.get(REQUESTS):
            for grant in self._grants:
                grant.settle({REQUESTS: 0})

    @property
    def paid(self) -> int:
        """What attempts before this one were charged, in micros."""
        return self._taken_over.get(COST, 0)

    @property
    def charged(self) -> Mapping[str, int]:
        """What all attempts were charged, once it is settled."""
        (tokens, cost), before = self._used, self._taken_over
        used = {TOKENS: max(tokens, before.get(TOKENS, 0)), COST: max(cost, before.get(COST, 0))}
        return {REQUESTS: 1, **used, _ATTEMPTS: self.attempts}

    @property
    def attempts(self) -> int:
        """How many there were, with this one, since the last that brought something."""
        return self._taken_over.get(_ATTEMPTS, 0) + 1

    def release(self) -> None:
        """Give back the places; may come twice."""
        for places in self._places:
            places.release()

    async def _spend(self, plan: Plan, models: Sequence[str]) -> None:
        if plan.tokens:
            tokens = max(0, self._estimate.total - self._taken_over.get(TOKENS, 0))
            await self._take(plan.tokens, tokens, TOKENS)
        if plan.cost:
            cost = self._metering.prices.dearest(models).cost(*self._estimate)
            await self._take(plan.cost, max(0, cost - self._taken_over.get(COST, 0)), COST)

    async def _place(self, keys: Sequence[LimitKey]) -> None:
        places = await self._metering.concurrency.take(keys)
        if places.refused is not None:
            self._refuse(places.refused, _BUSY_SECONDS, 1)
        self._places = (*self._places, places)
        if self._policy.webhooks:
            await self._warn(places)

    async def _take(self, keys: Sequence[LimitKey], amount: int, kind: str) -> None:
        grant = await self._metering.limits.take(keys, [amount] * len(keys))
        if kind != COST:
            self._headers.update(rate_headers(kind, grant))
        self._grants = (*self._grants, grant)  # before anything is awaited: whoever hangs up there is settled too
        if self._policy.webhooks:
            await self._warn(grant)
        if grant.refused is not None:
            self._refuse(grant.refused, grant.retry_after_seconds, amount)

    async def _warn(self, grant: Grant | Places) -> None:
        """Note, once in a window's length, that most of it is used: the decision tells those who want to know.

        A decision has room for one; the next one notes the next.
        """
        if _LIMIT in self.notes or not any(LIMIT in hook.on for hook in self._policy.webhooks):
            return
        for key, left in grant.nearly_used():
            if await self._metering.warned.claim(key.tenant_id, key.name, key.window_seconds or _AT_ONCE):
                self.notes = {**self.notes, _LIMIT: _described(key) | {"used": round(1 - left / key.limit, 3)}}
                return

    def _refuse(self, key: LimitKey, wait: float, amount: int) -> None:
        self.notes = {**self.notes, "refused_by": _described(key)}
        cost = _kind(key) == COST
        # What no wait makes fit, and what would be waited for for minutes, an SDK is not to try again by itself.
        self._headers.update(retry_later(wait, again=not cost and amount <= key.limit))
        code = "insufficient_quota" if cost else "rate_limit_exceeded"
        raise EdgeError(429, code, _message(key, amount))


def _kind(key: LimitKey) -> str:
    return key.name.partition(":")[0]


def _described(key: LimitKey) -> dict[str, object]:
    kind, _, whose = key.name.partition(":")
    level, _, name = whose.partition(":")
    return {"kind": kind, "level": level or "tenant", "whose": name, "limit": key.limit, "seconds": key.window_seconds}


def _message(key: LimitKey, amount: int) -> str:
    """Return a sentence that names the level, the limit and its length of time."""
    kind, _, whose = key.name.partition(":")
    level, _, name = whose.partition(":")
    of = {"": "this tenant", "app": "this app", "key": "this API key"}.get(level, f"the models {name}")
    if kind == COST:
        budget = f"{key.limit / PER_DOLLAR:g} USD in {_length(key.window_seconds)}"
        return f"The budget of {of}, {budget}, does not cover this request."
    if not key.window_seconds:
        return f"Too many requests of {of} at once: {key.limit} are allowed."
    asked = f", and this request needs {amount}" if amount > 1 else ""
    return f"Limit of {of} reached: {key.limit} {kind} in {_length(key.window_seconds)}{asked}."


def _length(seconds: int) -> str:
    for name, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds % length == 0:
            return f"{seconds // length} {name}{'s' * (seconds > length)}"
    return f"{seconds} second{'s' * (seconds > 1)}"
