"""What a list of scored and judged texts amounts to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Rates:
    """Of the attacks caught, of the benign flagged; None where a set has none of a kind."""

    attacks: int
    benign: int
    recall: float | None
    flagged: float | None
    f1: float | None


def rates(labels: Sequence[bool], flagged: Sequence[bool]) -> Rates:
    caught = sum(1 for label, flag in zip(labels, flagged, strict=True) if label and flag)
    wrong = sum(1 for label, flag in zip(labels, flagged, strict=True) if not label and flag)
    attacks = sum(labels)
    benign = len(labels) - attacks
    f1 = 2 * caught / (attacks + caught + wrong) if attacks and benign else None
    return Rates(attacks, benign, caught / attacks if attacks else None, wrong / benign if benign else None, f1)


def area_under_curve(labels: Sequence[bool], scores: Sequence[float]) -> float | None:
    """Return the chance that an attack scores above a benign text (ties count half); None without both."""
    known, values = np.array(labels, dtype=bool), np.array(scores)
    attacks, benign = values[known], np.sort(values[~known])
    if not attacks.size or not benign.size:
        return None
    below, above = np.searchsorted(benign, attacks, "left"), np.searchsorted(benign, attacks, "right")
    return float((below + above).mean() / 2 / benign.size)


def threshold_at(benign_scores: Sequence[float], share: float) -> float:
    """Return the lowest score above which at most `share` of the benign texts lie."""
    ordered = sorted(benign_scores, reverse=True)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 1.0


def quantile(values: Sequence[float], share: float) -> float:
    return float(np.quantile(np.array(values), share)) if values else 0.0
