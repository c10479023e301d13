"""`audit:` of a policy: what is kept of bodies, and for how long."""

from __future__ import annotations

import pytest

from policies.types import StoredForm
from tests.policies.test_loader import STANDARD, load, problem


@pytest.mark.parametrize(
    ("audit", "kept"),
    [
        ("{}", (StoredForm.NONE, 90, 30)),
        ("{store: encrypted, retain: 1y, retain_bodies: 2w}", (StoredForm.ENCRYPTED, 365, 14)),
        ("{store: masked, retain: 7d}", (StoredForm.MASKED, 7, 7)),
        ("{store: hash}", (StoredForm.HASH, 90, 30)),
    ],
)
def test_bodies_are_kept_as_asked_and_never_longer_than_their_rows(
    audit: str, kept: tuple[StoredForm, int, int]
) -> None:
    policy = load(f"{STANDARD}audit: {audit}\n")
    assert (policy.store, policy.retain_days, policy.retain_bodies_days) == kept


@pytest.mark.parametrize(
    ("audit", "expected"),
    [
        ("{retain: 30d, retain_bodies: 60d}", "2: bodies go with their row, which is kept for 30 days"),
        ("{store: plain}", "2: "),
        ("{stor: none}", "2: unknown key 'stor' (did you mean 'store'?)"),
        ("{retain_bodies: 0d}", "2: audit.retain_bodies: expected a number of days such as 90d"),
    ],
)
def test_what_cannot_be_kept_is_said_where_it_stands(audit: str, expected: str) -> None:
    assert f"acme.yaml:{expected}" in problem(f"{STANDARD}audit: {audit}\n")
