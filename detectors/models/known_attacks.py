"""Vectors of attacks that are known, and how near a text's vector comes to one of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.types import Category

WIDTH: Final = 384  # numbers of a vector
SCALE: Final = 127.0  # what a 1 of a unit vector is as an int8


@dataclass(frozen=True, slots=True)
class KnownAttacks:
    """Vectors (count, WIDTH) as int8, and the category of each. `revision` tells one set from another."""

    vectors: NDArray[np.int8]
    categories: tuple[Category, ...]
    revision: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        digest = hashlib.sha256(self.vectors.tobytes() + "\0".join(self.categories).encode()).hexdigest()
        object.__setattr__(self, "revision", digest[:12])

    def __len__(self) -> int:
        return len(self.categories)

    def __add__(self, more: KnownAttacks) -> KnownAttacks:
        return KnownAttacks(np.concatenate([self.vectors, more.vectors]), (*self.categories, *more.categories))

    def nearest(self, vectors: NDArray[np.float32]) -> tuple[float, Category | None]:
        """Return the greatest cosine between unit vectors and the known ones, and what that attack was."""
        if not self.categories:
            return 0.0, None
        cosines = (vectors @ self.vectors.T.astype(np.float32)).max(axis=0) / SCALE
        place = int(cosines.argmax())
        return float(cosines[place]), self.categories[place]


NONE_KNOWN: Final = KnownAttacks(np.zeros((0, WIDTH), np.int8), ())


def as_known(vectors: Sequence[Sequence[float]] | NDArray[np.float32], categories: Sequence[Category]) -> KnownAttacks:
    """Return unit vectors as they are kept in process: a byte a number, which moves a cosine by less than 0.01."""
    numbers = np.asarray(vectors, np.float32).reshape(-1, WIDTH)
    return KnownAttacks(np.rint(numbers * SCALE).clip(-SCALE, SCALE).astype(np.int8), tuple(categories))
