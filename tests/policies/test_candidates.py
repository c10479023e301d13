"""A candidate is decided beside the policy in force, changes nothing, and takes over key by key."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from detectors.chain import Inspection
from detectors.errors import PolicyError
from detectors.types import Category, Coverage
from policies.candidates import decide_both, in_force, is_sampled
from policies.engine import Actions, decide
from policies.facts import Facts
from policies.layers import Library
from policies.loader import load_policy
from policies.types import ActionName, Candidate, Policy
from tests.policies.conftest import MakeFinding

NOW = 1_800_000_000.0  # 2027-01-15
ACTIVE = "extends: preset/standard\ncandidate: {policy: _next/acme.yaml, until: 2027-01-15, rollout: 30%, sample: 1%}\n"


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    (tmp_path / "_next").mkdir()
    (tmp_path / "_next/acme.yaml").write_text("extends: preset/strict\n")
    (tmp_path / "acme.yaml").write_text(ACTIVE)
    return load_policy(tmp_path / "acme.yaml", "acme", (), Library(tmp_path)).policy


def candidate_of(policy: Policy) -> Candidate:
    assert policy.candidate is not None
    return policy.candidate


def test_a_candidate_changes_nothing_and_its_other_opinion_is_kept(
    policy: Policy, make_finding: MakeFinding, actions: Actions
) -> None:
    found = Inspection((make_finding(category=Category.CREDENTIAL),), (), Coverage(scanned=1))
    verdict = decide_both(policy, found, Facts(at=NOW), "r", actions)
    assert replace(verdict, candidate=None) == decide(policy, found, Facts(at=NOW), "r", actions)
    other = verdict.disagreement
    assert other is not None
    assert (verdict.action, other.action, other.rule) == (ActionName.MASK, ActionName.BLOCK, "credentials")
    assert other.policy_revision == candidate_of(policy).policy.revision != policy.revision


def test_where_both_intend_the_same_there_is_no_disagreement(policy: Policy, actions: Actions) -> None:
    verdict = decide_both(policy, Inspection((), (), Coverage(scanned=1)), Facts(at=NOW), "r", actions)
    assert verdict.candidate is not None
    assert verdict.disagreement is None


def test_a_candidate_ends_by_itself(policy: Policy, make_finding: MakeFinding, actions: Actions) -> None:
    found = Inspection((make_finding(category=Category.CREDENTIAL),), (), Coverage(scanned=1))
    later = NOW + 86_400
    assert decide_both(policy, found, Facts(at=later), "r", actions).candidate is None
    assert all(in_force(policy, key, later) is policy for key in range(50))


def test_a_rollout_takes_the_share_of_keys_and_keeps_each_key_where_it_is(policy: Policy) -> None:
    candidate = candidate_of(policy)
    taken = [key for key in range(2000) if in_force(policy, key, NOW) is candidate.policy]
    assert 500 < len(taken) < 700
    wider = replace(policy, candidate=replace(candidate, rollout=0.6))
    assert all(in_force(wider, key, NOW) is candidate.policy for key in taken)
    assert all(
        in_force(replace(policy, candidate=replace(candidate, rollout=1.0)), k, NOW) is not policy for k in taken
    )


def test_a_sample_takes_its_share_of_exchanges(policy: Policy) -> None:
    sampled = sum(is_sampled(policy, f"exchange-{number}", NOW) for number in range(5000))
    assert 20 < sampled < 90


@pytest.mark.parametrize(
    ("next_policy", "problem"),
    [
        ("extends: preset/strict\nmod: off\n", "_next/acme.yaml:2: unknown key 'mod'"),
        (ACTIVE, "_next/acme.yaml:2: a candidate has no candidate of its own"),
    ],
)
def test_a_candidate_is_held_to_what_every_policy_is(tmp_path: Path, next_policy: str, problem: str) -> None:
    (tmp_path / "_next").mkdir()
    (tmp_path / "_next/acme.yaml").write_text(next_policy)
    (tmp_path / "acme.yaml").write_text(ACTIVE)
    with pytest.raises(PolicyError) as refused:
        load_policy(tmp_path / "acme.yaml", "acme", (), Library(tmp_path))
    assert problem in str(refused.value)
