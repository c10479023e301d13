"""Which attacks of the training rows are known by heart: a few hundred that lie far from each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.models.encoder import Encoder
from detectors.models.known_attacks import KnownAttacks, as_known
from detectors.models.training.encoder_rows import Sample
from detectors.types import Category

LOOKED_AT: Final = 1500
KEPT: Final = 400


def prototypes(rows: Sequence[Sample], kinds: Sequence[Category], encoder: Encoder, seed: int) -> KnownAttacks:
    """Return the vectors of attacks by users, each chosen as the one that is farthest from all before it."""
    attacks = [row for row in rows if row.attack and row.kind >= 0 and row.say > 0]
    chosen = np.random.default_rng(seed).permutation(len(attacks))[:LOOKED_AT]
    read, categories = [], []
    for number in chosen:
        reading = encoder.read(attacks[number].windows)
        read.append(reading.vectors[int(reading.attack.argmax())])
        categories.append(kinds[attacks[number].kind])
    vectors = np.array(read)
    kept = _far_apart(vectors)
    return as_known(vectors[kept], [categories[number] for number in kept])


def _far_apart(vectors: NDArray[np.float32]) -> list[int]:
    kept, nearest = [0], vectors @ vectors[0]
    while len(kept) < min(KEPT, len(vectors)):
        kept.append(int(nearest.argmin()))
        nearest = np.maximum(nearest, vectors @ vectors[kept[-1]])
    return kept
