"""How long policies want decisions kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from policies.loader import load_preset
from policies.types import Candidate, Policy
from proxy.control.retention_wishes import retention_wishes
from storage.decisions.retention import Wishes
from storage.types import Tenant

ACME, GLOBEX = Tenant(1, "acme", ""), Tenant(2, "globex", "")


def policies(**days: int) -> Mapping[str, Policy]:
    """Policies by id (`acme/app` written `acme__app`), each with its days."""
    preset = load_preset("preset/standard").policy
    return {name.replace("__", "/"): replace(preset, retain_days=kept) for name, kept in days.items()}


def wishes(tenants: Sequence[Tenant], **days: int) -> Wishes:
    return retention_wishes(policies(**days), tenants, lambda policy: policy.retain_days)


def test_a_tenants_own_policy_counts_and_the_default_for_the_others() -> None:
    assert wishes([ACME, GLOBEX], default=90, acme=30) == Wishes({1: 30, 2: 90}, 90)


def test_the_longest_wish_of_a_tenants_apps_counts() -> None:
    assert wishes([ACME], default=90, acme=30, acme__web=365, acme__batch=7).days == {1: 365}


def test_apps_without_a_policy_are_kept_as_the_default_says() -> None:
    assert wishes([ACME], default=90, acme__batch=7).days == {1: 90}


def test_a_name_that_only_begins_alike_is_another_tenant() -> None:
    assert wishes([ACME], default=90, acme=30, acmecorp__web=365).days == {1: 30}


def test_a_candidate_that_is_in_force_for_some_keys_counts() -> None:
    known = policies(default=90, acme=30, next=365)
    for rollout, kept in ((0.05, 365), (0.0, 30)):
        candidate = Candidate(known["next"], date(2999, 1, 1), 0.0, rollout)
        wished = {"default": known["default"], "acme": replace(known["acme"], candidate=candidate)}
        assert retention_wishes(wished, [ACME], lambda policy: policy.retain_days).days == {1: kept}
