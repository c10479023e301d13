"""A logistic regression over dense rows, by numpy alone."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

PULL: Final = 0.03  # how much half the square of a weight costs, beside the mean loss of a row
_STEPS: Final = 30
_LEAST: Final = 1e-4  # of a chance times its opposite, so that what is certain still has a curve

Floats = NDArray[np.float64]


def logistic(vectors: Floats, labels: NDArray[np.bool_], says: Floats) -> Floats:
    """Return weights and bias (width + 1) with the least log loss, each text's times its say, and small weights.

    Newton's method, which takes a few steps to where nothing changes.
    """
    rows = np.hstack([vectors, np.ones((len(vectors), 1))])
    says = says / says.sum()
    pull = np.full(rows.shape[1], PULL)
    pull[-1] = 1e-6
    weights = np.zeros(rows.shape[1])
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(rows @ weights, -30, 30)))
        curve = (rows * (says * np.maximum(chance * (1 - chance), _LEAST))[:, None]).T @ rows
        move = np.linalg.solve(curve + np.diag(pull), rows.T @ (says * (chance - labels)) + pull * weights)
        weights -= move
        if np.abs(move).max() < _LEAST:
            break
    return weights
