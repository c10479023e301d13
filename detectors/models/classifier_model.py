"""The linear classifier as it ships: a model for each origin, what its scores mean, and which kind of attack it is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from detectors.frozen import statically_frozen
from detectors.models.features import grams
from detectors.models.linear import LinearModel, Window
from detectors.models.weights_file import SHIPPED, read_arrays
from detectors.types import Category, Origin

Score = TypeVar("Score", float, NDArray[np.float64])
FILE: Final = "linear.npz"
KINDS: Final = (
    Category.PROMPT_INJECTION,
    Category.JAILBREAK,
    Category.SYSTEM_PROMPT_LEAK,
    Category.DATA_EXTRACTION,
)
# Whose texts are read as whose: a tool's as data, others' as a user's. The app itself and the model are not suspected.
READ_AS: Final[Mapping[Origin, Origin]] = {
    Origin.USER: Origin.USER,
    Origin.UNKNOWN: Origin.USER,
    Origin.METADATA: Origin.USER,
    Origin.TOOL: Origin.TOOL,
}


@statically_frozen
@dataclass(frozen=True, slots=True)
class Scale:
    """What scores of one origin mean. From `certain` the linear model is sure by itself, and there its confidence is
    `threshold`, that of the shipped policies; from `doubt` on a finer look is worth its price.
    """

    certain: float
    doubt: float
    threshold: float
    slope: float

    def confidence(self, score: float) -> float:
        """Return the chance of an attack, by Platt's scaling through the threshold."""
        odds = self.log_odds(score)
        return 1 / (1 + math.exp(-max(min(odds, 30.0), -30.0)))

    def log_odds(self, score: Score) -> Score:
        """Return the log odds of the same chance, also for an array of scores."""
        return self.slope * (score - self.certain) + math.log(self.threshold / (1 - self.threshold))


@dataclass(frozen=True, slots=True, eq=False)
class ClassifierModel:
    """Everything of the linear stage, by origin as in READ_AS."""

    models: Mapping[Origin, LinearModel]
    scales: Mapping[Origin, Scale]
    kinds: NDArray[np.float16]  # (len(KINDS), words then bytes): how much an n-gram speaks for a kind of attack
    revision: str

    def kind(self, window: str, origin: Origin) -> Category:
        """Return what kind of attack a window is, if it is one."""
        if origin is Origin.TOOL:
            return Category.PROMPT_INJECTION
        found = grams([window])
        size = self.kinds.shape[1] // 2
        columns = np.concatenate([*found.words, *(span + size for span in found.spans)])
        return KINDS[int(self.kinds.take(columns, axis=1).sum(axis=1, dtype=np.float32).argmax())]

    def strongest(self, window: str, origin: Origin) -> list[tuple[int, int]]:
        """Return the places (in bytes) of the three words of a window that speak most for an attack, in order."""
        return self.models[origin].strongest(window, 3)


@lru_cache(maxsize=1)
def load_classifier(folder: Path = SHIPPED) -> ClassifierModel:
    """Load the shipped classifier. Raises ConfigurationError for weights that are missing or not ours."""
    arrays = read_arrays(FILE, folder)
    models, scales = {}, {}
    for origin in (Origin.USER, Origin.TOOL):
        words, spans, numbers = (arrays[f"{origin}_{part}"] for part in ("words", "spans", "numbers"))
        bias, damping, *scale = (float(number) for number in numbers)
        models[origin] = LinearModel(_read_only(words), _read_only(spans), bias, damping)
        scales[origin] = Scale(*scale)
    return ClassifierModel(models, scales, arrays["kinds"], str(arrays["revision"]))


def _read_only(weights: NDArray[np.float16]) -> NDArray[np.float32]:
    wide = weights.astype(np.float32)
    wide.setflags(write=False)
    return wide


def best(windows: Sequence[Window]) -> Window:
    return max(windows, key=lambda window: window.score)
