"""Which windows one API key's requests pass: those of its tenant, its app, itself, and of the models it asks for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from policies.amounts import LevelLimits, Levels, PolicyLimits
from storage.types import Identity, LimitKey

REQUESTS: Final = "requests"
TOKENS: Final = "tokens"
COST: Final = "cost"  # in millionths of a US dollar
CONCURRENT: Final = "concurrent"
PER_DOLLAR: Final = 1_000_000
LARGEST_TABLE: Final = 20_000
LONGEST_NAME: Final = 200  # of a model, which the client chooses
_MOST: Final = 1 << 50


@dataclass(frozen=True, slots=True)
class Plan:
    """Windows by what is counted in them, the widest level first. Their names are `kind`, or `kind:level:whose`."""

    requests: tuple[LimitKey, ...] = ()
    tokens: tuple[LimitKey, ...] = ()
    cost: tuple[LimitKey, ...] = ()
    concurrent: tuple[LimitKey, ...] = ()

    @property
    def all(self) -> tuple[LimitKey, ...]:
        return (*self.requests, *self.tokens, *self.cost, *self.concurrent)

    @property
    def empty(self) -> bool:
        return not (self.requests or self.tokens or self.cost or self.concurrent)


NOTHING: Final = Plan()


class Plans:
    """Plans as they were made before: by policy and who asks, who are few."""

    def __init__(self) -> None:
        self._made: dict[tuple[int, int, int, int, str], tuple[PolicyLimits, Plan]] = {}

    def of(self, limits: PolicyLimits, identity: Identity) -> Plan:
        """Return what is taken before the body is read."""
        known = self._made.get(_key(limits, identity, ""))
        if known is not None and known[0] is limits:
            return known[1]
        levels = _levels(limits, identity.app, identity.app_id, identity.key_id)
        return self._keep(limits, identity, "", _plan(identity.tenant_id, levels))

    def of_models(self, limits: PolicyLimits, identity: Identity, models: Sequence[str]) -> Plan:
        """Return the windows of models, of all that a request may reach."""
        if not limits.models or not models:
            return NOTHING
        if len(models) > 1 or len(models[0]) > LONGEST_NAME:
            return _plan(identity.tenant_id, _model_levels(limits, models))
        known = self._made.get(_key(limits, identity, models[0]))
        if known is not None and known[0] is limits:
            return known[1]
        return self._keep(limits, identity, models[0], _plan(identity.tenant_id, _model_levels(limits, models)))

    def _keep(self, limits: PolicyLimits, identity: Identity, model: str, plan: Plan) -> Plan:
        if len(self._made) >= LARGEST_TABLE:
            self._made.clear()
        self._made[_key(limits, identity, model)] = (limits, plan)  # the limits too: an id is used again
        return plan


def _key(limits: PolicyLimits, identity: Identity, model: str) -> tuple[int, int, int, int, str]:
    """One policy serves many tenants, and whoever shows a token of an issuer's has no key of its own."""
    return id(limits), identity.tenant_id, identity.app_id, identity.key_id, model


def windows_of(
    limits: PolicyLimits, tenant_id: int, app: str, app_id: int, key_ids: Iterable[int]
) -> Iterator[LimitKey]:
    """Yield every window that requests of an app with these keys may pass, of whatever model; some of them twice."""
    for key_id in key_ids:
        yield from _plan(tenant_id, _levels(limits, app, app_id, key_id)).all
    models = ((f"model:{pattern}", level) for levels in limits.models for pattern, level in levels)
    yield from _plan(tenant_id, models).all


def _levels(limits: PolicyLimits, app: str, app_id: int, key_id: int) -> Iterator[tuple[str, LevelLimits]]:
    yield "", limits.tenant
    for levels in limits.apps:
        yield from _first(levels, app, f"app:{app_id}")
    for levels in limits.keys:
        yield from _first(levels, str(key_id), f"key:{key_id}")


def _model_levels(limits: PolicyLimits, models: Sequence[str]) -> Iterator[tuple[str, LevelLimits]]:
    for levels in limits.models:
        for pattern, level in levels:
            if any(fnmatchcase(model, pattern) for model in models):
                yield f"model:{pattern}", level


def _first(levels: Levels, name: str, whose: str) -> Iterator[tuple[str, LevelLimits]]:
    for pattern, level in levels:
        if fnmatchcase(name, pattern):
            yield whose, level
            return


def _plan(tenant_id: int, levels: Iterable[tuple[str, LevelLimits]]) -> Plan:
    found: dict[str, dict[tuple[str, int], int]] = {kind: {} for kind in (REQUESTS, TOKENS, COST, CONCURRENT)}

    def add(kind: str, whose: str, limit: int, seconds: int) -> None:
        window = (f"{kind}:{whose}" if whose else kind, seconds)
        found[kind][window] = min(limit, found[kind].get(window, limit))  # the policy's and the platform's are one

    for whose, level in levels:
        for rate in level.requests:
            add(REQUESTS, whose, rate.limit, rate.seconds)
        for rate in level.tokens:
            add(TOKENS, whose, rate.limit, rate.seconds)
        for budget in level.cost:
            add(COST, whose, min(_MOST, max(1, round(budget.usd * PER_DOLLAR))), budget.seconds)
        if level.concurrent is not None:
            add(CONCURRENT, whose, level.concurrent, 0)
    return Plan(
        *(
            tuple(LimitKey(tenant_id, name, limit, seconds) for (name, seconds), limit in found[kind].items())
            for kind in (REQUESTS, TOKENS, COST, CONCURRENT)
        )
    )
