"""What the transformer is trained on: rows as the windows that it would read of them, in batches of like length."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.builtin.classifier import without_blobs
from detectors.models.classifier_model import KINDS, best
from detectors.models.linear import LinearModel
from detectors.models.tokens import ORIGINS, PADDING, Tokens
from detectors.models.training.calibrate import side
from detectors.models.training.rows import Row, is_written
from detectors.types import Origin

# Texts that decoders read first, and those of templates of which the linear model is sure anyway, say little here.
LEFT_OUT: Final = frozenset({"synthetic_encoded", "synthetic_blobs"})
EASY: Final = 3.5  # log odds
SAY: Final = {"sap": 0.3, "synthetic_carrier_clean": 0.5}
HARD: Final = 1.5


@dataclass(frozen=True, slots=True)
class Sample:
    """The windows of a text as token numbers, its label and kind (-1: none), whether it is worth little, its weight."""

    windows: tuple[tuple[int, ...], ...]
    attack: bool
    kind: int
    easy: bool
    say: float

    @property
    def size(self) -> int:
        return max(map(len, self.windows))

    @property
    def by_tool(self) -> bool:
        return self.windows[0][1] == ORIGINS[Origin.TOOL]


def samples(
    rows: Sequence[Row], say: Sequence[float], linear: Mapping[Origin, LinearModel], tokens: Tokens
) -> list[Sample]:
    return [_sample(row, weight, linear, tokens) for row, weight in zip(rows, say, strict=True)]


def _sample(row: Row, say: float, linear: Mapping[Origin, LinearModel], tokens: Tokens) -> Sample:
    origin = side(row)
    text = without_blobs(row.text)
    ranked = linear[origin].windows([text])[0]
    windows = tuple(tuple(window) for window in tokens.windows(text, ranked, origin))
    score = best(ranked).score
    kind = KINDS.index(row.category) if row.category in KINDS and origin is Origin.USER else -1
    hard = HARD if not row.attack and score > -1 else 1.0
    sure = score > EASY if row.attack else score < -EASY
    easy = sure and not is_written(row)
    return Sample(windows, row.attack, kind, easy, say * SAY.get(row.source, 1.0) * hard)


def padded(windows: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    """Return windows as one array, as long as the longest of them."""
    numbers = np.full((len(windows), max(map(len, windows))), PADDING, np.int64)
    for place, window in enumerate(windows):
        numbers[place, : len(window)] = window
    return numbers


def batches(rows: Sequence[Sample], most: int, chance: np.random.Generator) -> Iterator[list[int]]:
    """Yield the numbers of all samples in batches of at most `most` tokens, padding included, in a random order."""
    order = chance.permutation(len(rows))
    made = []
    for start in range(0, len(order), 4096):  # like lengths together, but not always the same neighbours
        pool = sorted(order[start : start + 4096], key=lambda number: rows[number].size)
        batch: list[int] = []
        windows = 0
        for number in pool:
            windows += len(rows[number].windows)
            if batch and windows * rows[number].size > most:
                made.append(batch)
                batch, windows = [], len(rows[number].windows)
            batch.append(int(number))
        made.append(batch)
    for place in chance.permutation(len(made)):
        yield made[place]
