"""Conditions of access: what a role has by the matrix it may have only from some networks, at some times, or with a
second factor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from policies.facts import Facts
from policies.matcher import Circumstances
from policies.rule_schema import window_of
from proxy.control.access.matrix import MATRIX
from proxy.control.access.types import AdminRole, Permission
from proxy.control.settings import ConditionSettings


@dataclass(frozen=True, slots=True)
class Condition:
    """`roles` have `permissions` only where `circumstances` hold, and with a second factor if one is asked for."""

    roles: frozenset[AdminRole]
    permissions: frozenset[Permission]
    circumstances: Circumstances
    second_factor: bool


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Of a request: the address it comes from, epoch seconds, and whether its session has shown a second factor."""

    network: str
    at: float
    second_factor: bool


def build_conditions(settings: Sequence[ConditionSettings]) -> tuple[Condition, ...]:
    return tuple(_condition(each) for each in settings)


def granted(role: AdminRole, conditions: Sequence[Condition], around: Surroundings) -> frozenset[Permission]:
    """Return what a role may do here and now."""
    facts = Facts(at=around.at, network=around.network)
    left = MATRIX[role]
    for condition in conditions:
        holds = condition.circumstances.hold(facts, 0) and (around.second_factor or not condition.second_factor)
        if role in condition.roles and not holds:
            left -= condition.permissions
    return left


def _condition(settings: ConditionSettings) -> Condition:
    circumstances = Circumstances(
        network=settings.network,
        not_network=settings.not_network,
        time=None if settings.time is None else window_of(settings.time),
    )
    permissions = frozenset(p for p in Permission if any(fnmatchcase(p, pattern) for pattern in settings.permissions))
    return Condition(frozenset(settings.roles), permissions, circumstances, settings.second_factor)
