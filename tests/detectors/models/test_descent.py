"""The regression finds the minimum, and no change where nothing speaks for one."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.models.descent import Floats, Rows, descend


def rows(aims: list[float], offset: float = 0.0) -> Rows:
    """Rows of one column each, the first column for even rows and the second for odd ones; the third for all."""
    size = len(aims)
    return Rows(
        [np.array([number % 2, 2]) for number in range(size)],
        np.full(size, 0.7),
        np.full(size, offset),
        np.array(aims),
        np.ones(size),
    )


def loss(asked: Rows, change: Floats, pull: float) -> float:
    odds = asked.offsets + asked.by * np.array([change[own].sum() for own in asked.columns])
    return float((np.logaddexp(0, odds) - asked.aims * odds).sum() + pull / 2 * (change**2).sum())


@pytest.mark.parametrize("pull", [0.1, 1.0, 5.0])
def test_no_other_change_does_better(pull: float) -> None:
    asked = rows([1.0, 0.0, 1.0, 0.0, 1.0, 1.0])
    found = descend(asked, 3, pull)
    least = loss(asked, found, pull)
    nearby = np.random.default_rng(7).normal(0, 0.05, (200, 3))
    assert min(loss(asked, found + step, pull) for step in nearby) >= least - 1e-6


def test_nothing_changes_where_the_offsets_say_what_is_aimed_at() -> None:
    assert descend(rows([0.5] * 6), 3, 0.1) == pytest.approx(np.zeros(3), abs=1e-9)


def test_a_row_without_columns_is_no_obstacle() -> None:
    empty = Rows([np.zeros(0, np.int64), np.array([1])], np.ones(2), np.zeros(2), np.ones(2), np.ones(2))
    found = descend(empty, 2, 0.1)
    assert found[0] == 0
    assert found[1] > 0
