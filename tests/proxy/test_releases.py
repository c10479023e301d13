"""Releases: for the tenant alone, until they end, read again when the counter moves, kept while nobody can be asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from detectors.errors import StorageError
from policies.types import Candidate, Exclusion
from proxy.releases import Releases
from storage.reviews import Release
from tests.proxy.conftest import MakePolicy

DAY = date(2027, 1, 1)
ONE = Release(1, "PS-INJ-001", "0" * 32, DAY, "cli:anna", "a false alarm")


@dataclass
class Reader:
    known: tuple[Release, ...] | None
    asked: int = 0

    async def released(self) -> tuple[Release, ...]:
        self.asked += 1
        if self.known is None:
            raise StorageError("away")
        return self.known


async def test_what_was_released_is_excused_for_its_tenant_under_the_same_revision(make_policy: MakePolicy) -> None:
    releases, policy = Releases(Reader((ONE,))), make_policy("")
    await releases.check(1)
    applied = releases.applied(policy, 1)
    assert applied.exclusions[-1:] == (Exclusion("PS-INJ-001", None, "0" * 32, DAY, "cli:anna", "a false alarm"),)
    assert (applied.revision, releases.applied(policy, 2) is policy) == (policy.revision, True)
    assert releases.applied(policy, 1) is applied


async def test_a_policy_that_is_loaded_anew_is_not_served_as_it_was(make_policy: MakePolicy) -> None:
    releases, policy = Releases(Reader((ONE,))), make_policy("")
    await releases.check(1)
    assert releases.applied(policy, 1).models == ("*",)
    assert releases.applied(replace(policy, models=("gpt-4o",)), 1).models == ("gpt-4o",)


async def test_they_are_read_again_when_the_counter_moves_and_not_before(make_policy: MakePolicy) -> None:
    reader = Reader(())
    releases, policy = Releases(reader), make_policy("")
    for counter in (None, 4, 4, 4):
        await releases.check(counter)
    assert reader.asked == 1
    reader.known = (ONE,)
    await releases.check(5)
    assert releases.applied(policy, 1) is not policy


async def test_while_the_database_is_away_what_is_known_stays_and_is_asked_again(make_policy: MakePolicy) -> None:
    reader = Reader((ONE,))
    releases, policy = Releases(reader), make_policy("")
    await releases.check(1)
    reader.known = None
    await releases.check(2)
    assert releases.applied(policy, 1) is not policy
    reader.known = ()
    await releases.check(2)
    assert releases.applied(policy, 1) is policy


async def test_a_candidate_excuses_what_its_policy_excuses(make_policy: MakePolicy) -> None:
    releases, policy = Releases(Reader((ONE,))), make_policy("")
    await releases.check(1)
    applied = releases.applied(replace(policy, candidate=Candidate(make_policy("mode: monitor"), DAY)), 1)
    assert applied.candidate is not None
    assert applied.candidate.policy.exclusions == applied.exclusions
