"""Where a logistic regression ends: at chances that are right, with small weights, and with a say for each row."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.models.training.logistic import PULL, logistic


def test_its_gradient_is_nothing_where_it_ends() -> None:
    chance = np.random.default_rng(7)
    rows, says = chance.normal(size=(500, 8)), chance.uniform(0.2, 2, 500)
    labels = rows @ chance.normal(size=8) + chance.normal(size=500) > 0.5
    *weights, bias = logistic(rows, labels, says)
    said = 1 / (1 + np.exp(-(rows @ weights + bias)))
    gradient = rows.T @ (says * (said - labels)) / says.sum() + PULL * np.array(weights)
    assert np.abs(gradient).max() < 1e-3
    assert (said > 0.5).astype(bool).tolist().count(True) == pytest.approx(labels.sum(), rel=0.1)


def test_rows_that_can_be_told_apart_wholly_end_in_finite_weights() -> None:
    rows, labels = np.array([[-1.0], [-2.0], [1.0], [2.0]]), np.array([False, False, True, True])
    weight, bias = logistic(rows, labels, np.ones(4))
    assert 0 < weight < 20
    assert bias == pytest.approx(0, abs=1e-3)


def test_a_row_with_more_say_draws_the_bias_to_its_side() -> None:
    rows, labels = np.zeros((2, 1)), np.array([False, True])
    assert logistic(rows, labels, np.array([1.0, 3.0]))[-1] == pytest.approx(np.log(3), abs=1e-3)
