"""A policy and its candidate: both decided on the same findings, and for some API keys the candidate is in force."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from detectors.chain import Inspection
from policies.engine import Actions, decide
from policies.facts import Facts
from policies.types import ActionName, Candidate, CandidateVerdict, Policy, Verdict

_SHARES: Final = 10_000


def in_force(policy: Policy, key_id: int, at: float) -> Policy:
    """Return the policy that decides for an API key: the candidate for the share that `rollout` says.

    A key stays on its side while the share grows, and each policy divides the keys in its own way.
    """
    candidate = policy.candidate
    if candidate is None or not candidate.rollout or not is_live(candidate, at):
        return policy
    digest = hashlib.blake2b(f"{policy.id}:{key_id}".encode(), digest_size=8).digest()
    chosen = int.from_bytes(digest, "big") % _SHARES < candidate.rollout * _SHARES
    return candidate.policy if chosen else policy


def is_sampled(policy: Policy, exchange_id: str, at: float) -> bool:
    """Tell whether an exchange is among those in which no stage is skipped for the candidate's sake."""
    candidate = policy.candidate
    if candidate is None or not candidate.sample or not is_live(candidate, at):
        return False
    digest = hashlib.blake2b(exchange_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % _SHARES < candidate.sample * _SHARES


def is_live(candidate: Candidate, at: float) -> bool:
    """Tell whether a candidate's last day (UTC) has not passed."""
    return datetime.fromtimestamp(at, UTC).date() <= candidate.until


def decide_both(
    policy: Policy, inspection: Inspection, facts: Facts, ruleset_revision: str, actions: Actions
) -> Verdict:
    """Decide, and note what the candidate would have decided. What it wants has no effect."""
    verdict = decide(policy, inspection, facts, ruleset_revision, actions)
    candidate = policy.candidate
    if candidate is None or not is_live(candidate, facts.at):
        return verdict
    other = decide(candidate.policy, inspection, facts, ruleset_revision, actions)
    heaviest = max(other.judged, key=lambda item: item.action.weight, default=None)
    rule = heaviest.rule if heaviest is not None and heaviest.action is not ActionName.ALLOW else ""
    return replace(
        verdict,
        candidate=CandidateVerdict(candidate.policy.id, candidate.policy.revision, other.intended_action, rule),
    )
