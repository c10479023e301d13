"""The measures themselves, on sets small enough to count by hand."""

from __future__ import annotations

import pytest

from tests.eval.measures import area_under_curve, rates, threshold_at


def test_recall_flagged_and_f1_are_counted() -> None:
    found = rates([True, True, False, False], [True, False, True, False])
    assert (found.attacks, found.benign, found.recall, found.flagged, found.f1) == (2, 2, 0.5, 0.5, 0.5)


def test_a_set_of_benign_texts_has_no_recall() -> None:
    found = rates([False, False], [False, True])
    assert (found.recall, found.flagged, found.f1) == (None, 0.5, None)


def test_ties_count_half_under_the_curve() -> None:
    assert area_under_curve([True, False, False], [0.5, 0.5, 0.1]) == pytest.approx(0.75)
    assert area_under_curve([True], [1.0]) is None


def test_at_most_the_given_share_lies_above_a_threshold() -> None:
    scores = [number / 100 for number in range(100)]
    assert sum(score > threshold_at(scores, 0.1) for score in scores) <= 10
