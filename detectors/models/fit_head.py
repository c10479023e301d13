"""Fit a tenant's head: the smallest change of the linear model that agrees with labels, tried on texts held back.

A logistic regression of the labels whose offset is what the shipped model says, so that without labels nothing
changes; what the shipped model says of other texts are further, soft labels, so that nothing changes there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.models.classifier_model import Scale
from detectors.models.columns import Columns, windows_of
from detectors.models.descent import Floats, Rows, descend
from detectors.models.linear import LUCK, LinearModel
from detectors.models.tenant_head import MOST, Weights
from detectors.models.trial import Trial, log_losses

FEWEST: Final = 20  # labels of one origin from which anything is learned
FOLDS: Final = 5
PULLS: Final = (0.1, 0.5, 2.0)  # towards no change; the one that does best on what is held back is taken
_ROUNDS: Final = 2  # after each, another window may look most like an attack
_MOST_WINDOWS: Final = 64  # of one text


@dataclass(frozen=True, slots=True)
class Example:
    """A text by its readings, as the classifier sees them, and whether it is an attack."""

    readings: tuple[str, ...]
    attack: bool


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """One origin's weights, and how such weights did."""

    weights: Weights
    trial: Trial


def fit_head(
    model: LinearModel,
    scale: Scale,
    labelled: Sequence[Example],
    others: Sequence[Example],
    progress: Callable[[str], None] = lambda line: None,
) -> Fitted:
    """Fit one origin's head to labelled examples. What the model says of the `others` is to stay as it is.

    Raises ValueError for fewer than FEWEST labels.
    """
    if len(labelled) < FEWEST:
        raise ValueError(f"{len(labelled)} labelled texts, and it takes {FEWEST}")
    fitting = _Fitting(model, scale)
    say = _says(labelled)
    in_turn = sorted(labelled, key=lambda one: one.attack)  # so that all folds have as many of each kind
    texts = [fitting.text(one, say[one.attack], float(one.attack)) for one in in_turn]
    anchors = [fitting.text(one) for one in others]
    aims, tried = np.array([text.aim for text in texts]), []
    for pull in PULLS:
        progress(f"{len(texts)} labelled texts, held back in turn; pull {pull:g}")
        held = fitting.held_back(texts, anchors, pull)
        tried.append((float(log_losses(scale, held, aims).mean()), pull, held))
    _, pull, held = min(tried, key=lambda one: one[0])
    weights = fitting.weights(texts, anchors, pull)
    now = np.array([fitting.score(text, weights) for text in anchors])
    attacks = np.array([one.attack for one in others])
    return Fitted(weights, Trial.of(scale, (aims > 0, _best(texts), held), (attacks, _best(anchors), now)))


def _says(labelled: Sequence[Example]) -> dict[bool, float]:
    """Return the weight of each label: both kinds together have the same, where there are both."""
    attacks = sum(one.attack for one in labelled)
    benign = len(labelled) - attacks
    if not attacks or not benign:
        return {True: 1.0, False: 1.0}
    return {True: len(labelled) / 2 / attacks, False: len(labelled) / 2 / benign}


@dataclass(frozen=True, slots=True, eq=False)
class _Text:
    """A text's windows as columns, what the shipped model says of each, the chance aimed at, and how much it counts."""

    windows: tuple[Columns, ...]
    scores: Floats
    aim: float
    say: float


def _best(texts: Sequence[_Text]) -> Floats:
    return np.array([text.scores.max() for text in texts])


class _Fitting:
    """One origin's model, and what is made of it."""

    def __init__(self, model: LinearModel, scale: Scale) -> None:
        self._model, self._scale = model, scale
        self._weights = np.concatenate([model.words, model.spans])

    def text(self, example: Example, say: float = 1.0, aim: float | None = None) -> _Text:
        """Read an example; without an `aim` what the model says of it is aimed at."""
        windows: list[Columns] = []
        scores: list[float] = []
        for reading in example.readings:
            own = windows_of(reading)
            handicap = self._model.bias - LUCK * math.log(len(own))
            windows += own
            scores += [handicap + float(self._weights.take(one).sum()) * self._by(one) for one in own]
        told = np.array(scores)
        top = np.argsort(told)[::-1][:_MOST_WINDOWS]
        aim = self._scale.confidence(float(told.max())) if aim is None else aim
        return _Text(tuple(windows[number] for number in top), told[top], aim, say)

    def held_back(self, texts: Sequence[_Text], anchors: Sequence[_Text], pull: float) -> Floats:
        """Return the score of each text by weights that were fitted without it."""
        scores = np.zeros(len(texts))
        for fold in range(FOLDS):
            seen = [text for number, text in enumerate(texts) if number % FOLDS != fold]
            weights = self.weights(seen, anchors, pull)
            for number in range(fold, len(texts), FOLDS):
                scores[number] = self.score(texts[number], weights)
        return scores

    def weights(self, texts: Sequence[_Text], anchors: Sequence[_Text], pull: float) -> Weights:
        """Return the weights of n-grams in `texts` that fit these, and leave the anchors as they are."""
        active = np.unique(np.concatenate([window for text in texts for window in text.windows]))
        weights = Weights(active[:0], np.zeros(0, np.float16))
        for _ in range(_ROUNDS):
            rows = self._rows([*texts, *anchors], active, weights)
            weights = _strongest(active, descend(rows, active.size, pull))
        return weights

    def score(self, text: _Text, weights: Weights) -> float:
        return float(self._scores(text, weights).max())

    def _scores(self, text: _Text, weights: Weights) -> Floats:
        added = weights.added.astype(np.float64)
        more = [float(added[_places(weights.columns, one)].sum()) * self._by(one) for one in text.windows]
        scores: Floats = text.scores + np.array(more)
        return scores

    def _rows(self, texts: Sequence[_Text], active: Columns, weights: Weights) -> Rows:
        """Return of each text the window that looks most like an attack with these weights."""
        best = [int(self._scores(text, weights).argmax()) for text in texts]
        chosen = [text.windows[number] for text, number in zip(texts, best, strict=True)]
        scale = self._scale
        scores = np.array([text.scores[number] for text, number in zip(texts, best, strict=True)])
        return Rows(
            [_places(active, one) for one in chosen],
            scale.slope * np.array([self._by(one) for one in chosen]),
            scale.log_odds(scores),
            np.array([text.aim for text in texts]),
            np.array([text.say for text in texts]),
        )

    def _by(self, window: Columns) -> float:
        return float((window.size + self._model.damping) ** -0.5)


def _places(active: Columns, columns: Columns) -> NDArray[np.int64]:
    """Return where those of the columns that are active stand among these, which are ascending."""
    if not active.size:
        return np.zeros(0, np.int64)
    places = active.searchsorted(columns).clip(max=active.size - 1)
    found: NDArray[np.int64] = places[active[places] == columns]
    return found


def _strongest(active: Columns, added: Floats) -> Weights:
    kept = np.sort(np.argsort(np.abs(added))[::-1][:MOST])
    return Weights(active[kept], added[kept].astype(np.float16))
