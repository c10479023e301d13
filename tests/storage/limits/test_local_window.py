from __future__ import annotations

import pytest

from storage.limits.local_window import BUCKETS, LocalWindow

WIDTH = 0.25
WINDOW = BUCKETS * WIDTH


@pytest.fixture
def window() -> LocalWindow:
    return LocalWindow(WIDTH)


def test_a_window_admits_its_share_and_no_more(window: LocalWindow) -> None:
    assert [window.take(2, 5, 100.0) is not None for _ in range(3)] == [True, True, False]
    assert window.room(5, 100.0) == 1


def test_the_oldest_bucket_counts_whole_until_it_has_left(window: LocalWindow) -> None:
    window.take(5, 5, 100.24)

    assert window.take(1, 5, 100.24 + WINDOW) is None
    assert window.take(5, 5, 100.25 + WINDOW) is not None


def test_waiting_as_told_is_enough(window: LocalWindow) -> None:
    window.take(3, 5, 100.0)
    window.take(2, 5, 110.0)

    assert window.wait(3, 5, 120.0) == pytest.approx(WINDOW + WIDTH - 20)
    assert window.wait(4, 5, 120.0) == pytest.approx(WINDOW + WIDTH - 10)
    assert window.wait(6, 5, 120.0) == pytest.approx(WINDOW + WIDTH)


def test_what_is_given_back_can_be_taken_again_but_never_twice(window: LocalWindow) -> None:
    bucket = window.take(5, 5, 100.0)
    assert bucket is not None

    window.give_back(bucket, 2)
    window.give_back(bucket - 1, 2)
    window.give_back(bucket, 100)

    assert window.room(5, 100.0) == 5


def test_what_a_window_holds_is_told_with_its_age(window: LocalWindow) -> None:
    window.take(1, 5, 100.0)
    window.take(2, 5, 101.0)

    assert window.held(101.5) == [(400, 6, 1), (404, 2, 2)]
    assert window.held(101.0 + WINDOW + WIDTH) == []
