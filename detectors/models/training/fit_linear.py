"""Fit the linear model text by text: one weight a bucket for all origins, and one for what an origin adds to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.models.columns import COLUMNS, Columns, windows_of
from detectors.models.features import BUCKETS
from detectors.models.linear import LinearModel
from detectors.models.training.rows import Row
from detectors.types import Origin

DAMPING: Final = 40.0
ORIGINS: Final = (Origin.USER, Origin.TOOL)
RATE: Final = 0.1
CALM: Final = 0.01  # keeps the first steps small: what occurred once says little

Floats = NDArray[np.float32]


def rarity(windows: Sequence[Columns]) -> Floats:
    """Return for each column how rare it is: the inverse document frequency, about 1 to 10."""
    counts = np.zeros(COLUMNS, np.int64)
    for columns in windows:
        counts[columns] += 1  # once a window, however often it occurs there
    return np.log((len(windows) + 1) / (counts + 1) + 1).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Fit:
    """Weights for all origins (COLUMNS), what each of ORIGINS adds to them (2, COLUMNS), and its bias."""

    shared: Floats
    own: Floats
    bias: Floats

    def model(self, origin: Origin) -> LinearModel:
        index = ORIGINS.index(origin)
        weights = self.shared + self.own[index]
        return LinearModel(weights[:BUCKETS].copy(), weights[BUCKETS:].copy(), float(self.bias[index]), DAMPING)


def fit(rows: Sequence[Row], say: Sequence[float], *, epochs: int, seed: int) -> Fit:
    """Fit a logistic regression by AdaGrad (Duchi 2011), which gives rare n-grams the larger steps.

    Of each text the window that looks most like an attack is learned from: an attack needs only one such window, and
    a benign text must not have any. `say` is each row's weight.
    """
    texts = [windows_of(row.text) for row in rows]
    rare = rarity([columns for windows in texts for columns in windows]) * np.float32(RATE)
    fitted = Fit(np.zeros(COLUMNS, np.float32), np.zeros((2, COLUMNS), np.float32), np.zeros(2, np.float32))
    squares = Fit(np.zeros(COLUMNS, np.float32), np.zeros((2, COLUMNS), np.float32), np.zeros(2, np.float32))
    shuffler = np.random.default_rng(seed)
    for _ in range(epochs):
        for number in shuffler.permutation(len(rows)):
            row = rows[number]
            index = int(row.origin is Origin.TOOL)
            _learn(texts[number], float(row.attack), say[number], index, fitted, squares, rare)
    return fitted


def _learn(
    windows: Sequence[Columns], label: float, say: float, index: int, fitted: Fit, squares: Fit, rates: Floats
) -> None:
    own = fitted.own[index]
    scored = []
    for columns in windows:
        scale = (columns.size + DAMPING) ** -0.5
        total = fitted.shared.take(columns).sum() + own.take(columns).sum()
        scored.append((float(total) * scale, scale, columns))
    score, scale, columns = max(scored, key=lambda window: window[0])
    chance = 1 / (1 + np.exp(-(score + float(fitted.bias[index]))))
    slope = np.float32((chance - label) * say)
    if abs(slope) < 1e-3:  # nothing to learn
        return
    for weights, seen, step in (
        (fitted.shared, squares.shared, slope * scale),
        (own, squares.own[index], slope * scale),
    ):
        grown = seen.take(columns) + step * step
        seen[columns] = grown
        weights[columns] -= rates.take(columns) * step / np.sqrt(grown + CALM)
    squares.bias[index] += slope * slope
    fitted.bias[index] -= RATE * slope / np.sqrt(squares.bias[index] + 1)
