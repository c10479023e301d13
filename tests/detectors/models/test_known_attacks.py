"""Known attacks: near is found, far is not, and every set has its own name."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.models.known_attacks import NONE_KNOWN, WIDTH, KnownAttacks, as_known
from detectors.types import Category


@pytest.fixture
def vectors() -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    drawn = np.random.default_rng(5).normal(size=(3, WIDTH)).astype(np.float32)
    unit: np.ndarray[tuple[int, int], np.dtype[np.float32]] = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return unit


@pytest.fixture
def known(vectors: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> KnownAttacks:
    return as_known(vectors[:2], [Category.JAILBREAK, Category.PROMPT_INJECTION])


def test_the_nearest_is_found_with_its_category(
    known: KnownAttacks, vectors: np.ndarray[tuple[int, int], np.dtype[np.float32]]
) -> None:
    cosine, category = known.nearest(vectors[[2, 1]])
    assert cosine == pytest.approx(1.0, abs=0.01)
    assert category is Category.PROMPT_INJECTION
    assert known.nearest(vectors[[2]])[0] < 0.3


def test_of_none_nothing_is_near(vectors: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> None:
    assert NONE_KNOWN.nearest(vectors) == (0.0, None)


def test_a_set_is_told_from_another_by_its_revision(known: KnownAttacks) -> None:
    more = known + as_known([[1.0] + [0.0] * (WIDTH - 1)], [Category.JAILBREAK])
    assert (len(known), len(more)) == (2, 3)
    assert len({NONE_KNOWN.revision, known.revision, more.revision}) == 3
    assert (known + NONE_KNOWN).revision == known.revision
