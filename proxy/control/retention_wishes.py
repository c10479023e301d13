"""How long policies want something kept, tenant by tenant: the longest of what its apps' policies say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from policies.store import DEFAULT
from policies.types import Policy
from storage.decisions.retention import Wishes
from storage.types import Tenant


def retention_wishes(
    policies: Mapping[str, Policy], tenants: Iterable[Tenant], days: Callable[[Policy], int]
) -> Wishes:
    """Return the days of each tenant; of a tenant that is not there any more, what the default policy says.

    Rows of all its apps lie side by side, so the longest wish holds for all of them, and the default's is among them
    unless the tenant has a policy for the apps that have none. A candidate's counts where it is in force for some keys.
    """
    fallback = _longest_of(policies[DEFAULT], days)
    return Wishes({tenant.id: _longest(policies, tenant.slug, fallback, days) for tenant in tenants}, fallback)


def _longest(policies: Mapping[str, Policy], slug: str, fallback: int, days: Callable[[Policy], int]) -> int:
    of_apps = [_longest_of(policy, days) for name, policy in policies.items() if name.startswith(f"{slug}/")]
    return max([_longest_of(policies[slug], days) if slug in policies else fallback, *of_apps])


def _longest_of(policy: Policy, days: Callable[[Policy], int]) -> int:
    candidate = policy.candidate
    return days(policy) if candidate is None or not candidate.rollout else max(days(policy), days(candidate.policy))
