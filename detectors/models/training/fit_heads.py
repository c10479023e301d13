"""Fit what tells attacks by a text's vector: a logistic regression for each origin, and one for each kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from detectors.models.tokens import ORIGINS
from detectors.models.training.encoder_rows import Sample, padded
from detectors.models.training.logistic import logistic
from detectors.models.training.network import KINDS, WIDTH, Network, narrow

EASY_READ: Final = 0.3  # of the texts that are worth little
_AT_ONCE: Final = 32


def fit_heads(network: Network, rows: Sequence[Sample], seed: int) -> None:
    """Set the heads of a network whose other weights are done: on vectors that stay, they have one best answer."""
    chance = np.random.default_rng(seed)
    read = [row for row in rows if not row.easy or chance.random() < EASY_READ]
    owners = np.array([number for number, row in enumerate(read) for _ in row.windows])
    means = means_of(network, [window for row in read for window in row.windows])
    vectors = ((means - network.middle) / network.spread).double().numpy()
    says, kinds = np.array([row.say for row in read])[owners], np.array([row.kind for row in read])[owners]
    attack = np.array([row.attack for row in read])[owners]
    by = np.array([row.windows[0][1] for row in read])[owners]
    for place, mark in enumerate(sorted(ORIGINS.values())):
        _set(network.attack, place, logistic(vectors[by == mark], attack[by == mark], says[by == mark]))
    known = kinds >= 0
    for kind in range(KINDS):
        _set(network.kinds, kind, logistic(vectors[known], kinds[known] == kind, says[known]))


def means_of(network: Network, windows: Sequence[Sequence[int]]) -> torch.Tensor:
    """Return the mean of what a network makes of each window's tokens (count, width)."""
    order = sorted(range(len(windows)), key=lambda number: len(windows[number]))
    found = torch.zeros(len(windows), WIDTH)
    for at in range(0, len(order), _AT_ONCE):
        chosen = order[at : at + _AT_ONCE]
        with torch.no_grad(), narrow():
            found[chosen] = network.means(torch.from_numpy(padded([windows[number] for number in chosen])))
    return found


def _set(head: torch.nn.Linear, place: int, weights: NDArray[np.float64]) -> None:
    with torch.no_grad():
        head.weight[place] = torch.from_numpy(weights[:-1])
        head.bias[place] = float(weights[-1])
