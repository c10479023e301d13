"""What the linear model's scores mean: thresholds from benign texts of sources that it has not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.models.classifier_model import Scale, best
from detectors.models.linear import LinearModel
from detectors.models.training.rows import Row
from detectors.types import Origin

# Where the shipped policies stop a text (preset/standard).
THRESHOLDS: Final = {Origin.USER: 0.8, Origin.TOOL: 0.5}


def scores_of(models: Mapping[Origin, LinearModel], rows: Sequence[Row]) -> NDArray[np.float64]:
    """Return the score of each text's most suspicious window, read as its own origin's."""
    return np.array([best(models[side(row)].windows([row.text])[0]).score for row in rows])


def side(row: Row) -> Origin:
    return Origin.TOOL if row.origin is Origin.TOOL else Origin.USER


def scale_of(scores: NDArray[np.float64], rows: Sequence[Row], origin: Origin, certain: float, doubt: float) -> Scale:
    """Return the scale of an origin: above `certain` lies that share of unseen benign texts, above `doubt` that one.

    The slope is that of a logistic regression of the labels on the scores (Platt 1999).
    """
    labels = np.array([row.attack for row in rows])
    benign = np.sort(scores[~labels])
    top, low = (float(np.quantile(benign, 1 - share)) for share in (certain, doubt))
    return Scale(top, min(low, top), THRESHOLDS[origin], slope_of(scores, labels))


def slope_of(scores: NDArray[np.float64], labels: NDArray[np.bool_]) -> float:
    """Return the slope of a logistic regression of the labels on the scores."""
    slope, shift = 1.0, 0.0
    for _ in range(50):  # Newton's method, damped by a little
        chance = 1 / (1 + np.exp(-np.clip(slope * scores + shift, -30, 30)))
        weight = chance * (1 - chance)
        gradient = np.array([((chance - labels) * scores).sum(), (chance - labels).sum()])
        curve = np.array(
            [[(weight * scores**2).sum(), (weight * scores).sum()], [(weight * scores).sum(), weight.sum()]]
        )
        move = np.clip(np.linalg.solve(curve + 1e-3 * np.eye(2), gradient), -0.5, 0.5)  # far away it would overshoot
        slope, shift = slope - float(move[0]), shift - float(move[1])
    return max(slope, 0.1)
