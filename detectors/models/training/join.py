"""How both models' scores are added, and what the sum means: set on texts that neither of them was trained on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.builtin.classifier import without_blobs
from detectors.models.classifier_model import Scale, best
from detectors.models.encoder import Encoder
from detectors.models.known_attacks import KnownAttacks
from detectors.models.linear import LinearModel
from detectors.models.second_look import Joining, mannered
from detectors.models.tokens import Tokens
from detectors.models.training.calibrate import THRESHOLDS, side, slope_of
from detectors.models.training.rows import Row
from detectors.types import Origin

# How both scores are added. Not by a regression: dev's attacks are of templates that the transformer has seen, so it
# would count for everything. Long texts, jailbreaks and questions have to show more: role-play and short
# questions look like them.
ENCODER: Final = {Origin.USER: 0.65, Origin.TOOL: 0.5}
LENGTH: Final = {Origin.USER: 0.7, Origin.TOOL: 0.0}
MANNER: Final = {Origin.USER: 3.0, Origin.TOOL: 0.0}
# Which share of unseen benign texts the second look may flag, and which may come near to a known attack by chance.
CERTAIN: Final = {Origin.USER: 0.0075, Origin.TOOL: 0.016}
NEAR: Final = 0.0005
ROOM: Final = 2.5  # below the least linear score with which a text was flagged: of those there are few
LEAST_NEAR: Final = 0.9  # what is less alike does not say much the same

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Doubtful:
    """Texts of one origin in the linear model's band: its scores, what both models' scores add up to, the nearest known
    attack's cosine, labels, and how many benign texts there are in all, in and out of the band.
    """

    linear: Floats
    scores: Floats
    near: Floats
    attack: NDArray[np.bool_]
    benign: int


@dataclass(frozen=True, slots=True)
class Models:
    """What rows are read with."""

    linear: Mapping[Origin, LinearModel]
    scales: Mapping[Origin, Scale]
    tokens: Tokens
    encoder: Encoder
    known: KnownAttacks


def doubtful(rows: Sequence[Row], origin: Origin, models: Models) -> Doubtful:
    """Read those rows of an origin about which the linear model is in doubt."""
    scale, found, benign = models.scales[origin], [], 0
    joining = _joining(origin, scale, near=1.0, reach=scale.doubt)
    for row in rows:
        if side(row) is not origin:
            continue
        benign += not row.attack
        text = without_blobs(row.text)
        ranked = models.linear[origin].windows([text])[0]
        score = best(ranked).score
        if scale.doubt <= score < scale.certain:
            reading = models.encoder.read(models.tokens.windows(text, ranked, origin))
            place, size = int(reading.attack.argmax()), len(text.encode("utf-8", "replace"))
            both = joining.score(score, float(reading.attack[place]), size, mannered(reading, place))
            found.append((score, both, models.known.nearest(reading.vectors)[0], row.attack))
    linear, scores, near, attack = (np.array(column) for column in zip(*found, strict=True))
    return Doubtful(linear, scores, near, attack.astype(bool), benign)


def joined(texts: Doubtful, origin: Origin) -> Joining:
    """Return how scores are added, with the threshold above all but a share of the benign texts, Platt's slope, and the
    least linear score of a text whose sum was enough.
    """
    certain = _above(np.sort(texts.scores[~texts.attack]), int(CERTAIN[origin] * texts.benign))
    near = max(_above(np.sort(texts.near[~texts.attack]), int(NEAR * texts.benign)) + 0.01, LEAST_NEAR)
    scale = Scale(certain, certain, THRESHOLDS[origin], slope_of(texts.scores, texts.attack))
    enough = texts.linear[texts.scores >= certain]
    return _joining(origin, scale, near, float(enough.min(initial=texts.linear.max())) - ROOM)


def _joining(origin: Origin, scale: Scale, near: float, reach: float) -> Joining:
    return Joining(1 - ENCODER[origin], ENCODER[origin], LENGTH[origin], MANNER[origin], scale, near, reach)


def _above(scores: Floats, most: int) -> float:
    """Return the score above which at most so many of the ascending ones lie."""
    return float(scores[max(len(scores) - 1 - most, 0)])


def reliability(texts: Doubtful, joining: Joining) -> Iterator[str]:
    """Yield the lines of a table: of texts with a confidence in a range, how many were attacks."""
    chances = np.array([joining.scale.confidence(float(score)) for score in texts.scores])
    for low, high in ((0.0, 0.1), (0.1, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 1.01)):
        chosen = (chances >= low) & (chances < high)
        if chosen.any():
            said, was = chances[chosen].mean(), texts.attack[chosen].mean()
            yield f"| {low:.1f}-{min(high, 1.0):.1f} | {int(chosen.sum())} | {said:.2f} | {was:.2f} |"
