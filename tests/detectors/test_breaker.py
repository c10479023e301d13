"""The breaker: closed, open, one trial at a time."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from detectors.breaker import NO_PERMIT, Breaker
from detectors.words import BreakerState


@dataclass(slots=True)
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(3, 30.0, clock)


def fail(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        permit = breaker.admits()
        assert permit != NO_PERMIT
        breaker.note(permit, failed=True)


def test_failures_in_a_row_open_it(breaker: Breaker) -> None:
    fail(breaker, 2)
    assert breaker.state is BreakerState.CLOSED
    fail(breaker, 1)
    assert (breaker.state, breaker.admits(), breaker.seconds_left) == (BreakerState.OPEN, NO_PERMIT, 30.0)


def test_a_success_between_failures_starts_the_count_anew(breaker: Breaker) -> None:
    fail(breaker, 2)
    breaker.note(breaker.admits(), failed=False)
    fail(breaker, 2)
    assert breaker.state is BreakerState.CLOSED


def test_after_its_time_one_caller_at_a_time_may_try(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now += 30
    assert breaker.state is BreakerState.HALF_OPEN
    assert [breaker.admits() != NO_PERMIT for _ in range(20)] == [True] + [False] * 19


@pytest.mark.parametrize(("failed", "state"), [(True, BreakerState.OPEN), (False, BreakerState.CLOSED)])
def test_the_trial_decides(breaker: Breaker, clock: Clock, failed: bool, state: BreakerState) -> None:
    fail(breaker, 3)
    clock.now += 31
    breaker.note(breaker.admits(), failed=failed)
    assert breaker.state is state
    assert breaker.seconds_left == (30.0 if failed else 0.0)


def test_a_trial_that_was_abandoned_leaves_its_place_to_the_next(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now += 31
    trial = breaker.admits()
    breaker.abandon(trial)
    assert breaker.admits() == trial != NO_PERMIT


@pytest.mark.parametrize("failed", [True, False])
@pytest.mark.parametrize("later", [0, 31])
def test_late_news_changes_nothing(breaker: Breaker, clock: Clock, failed: bool, later: float) -> None:
    early = breaker.admits()
    fail(breaker, 3)
    clock.now += later
    state = breaker.state
    breaker.note(early, failed=failed)
    breaker.abandon(early)
    assert breaker.state is state


def test_late_news_during_a_trial_neither_ends_it_nor_lets_a_second_one_in(breaker: Breaker, clock: Clock) -> None:
    early = breaker.admits()
    fail(breaker, 3)
    clock.now += 31
    trial = breaker.admits()
    for failed in (True, False):
        breaker.note(early, failed=failed)
        assert (breaker.state, breaker.admits()) == (BreakerState.HALF_OPEN, NO_PERMIT)
    breaker.note(trial, failed=False)
    assert breaker.state is BreakerState.CLOSED


def test_a_trial_that_was_overtaken_by_what_others_found_closes_nothing(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now += 31
    trial = breaker.admits()
    breaker.trip(20)
    breaker.note(trial, failed=False)
    assert (breaker.state, breaker.seconds_left) == (BreakerState.OPEN, 20.0)
