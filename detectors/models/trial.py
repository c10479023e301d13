"""How a head does on labelled texts that it was not fitted on, and what else must hold before it is used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from detectors.models.classifier_model import Scale
from detectors.models.descent import Floats

_KEPT: Final = 0.9  # of the known attacks that are seen, or leaned to, without it
_STRAYED: Final = 0.01  # of the known benign texts that are no finding without it
# Labels drawn by lot sometimes make a head with a few errors less, or a loss a little below the least without it.
_FEWER: Final = 0.15  # errors, of all labelled texts
_BELOW: Final = 0.9  # of that least loss
_TURNS: Final = 50

Scored = tuple[NDArray[np.bool_], Floats, Floats]  # which texts are attacks, their scores without and with the head


@dataclass(frozen=True, slots=True)
class Trial:
    """Counts without and with the head: of labelled attacks those caught, of labelled benign texts the false alarms,
    and the mean log loss of both. `plain` is the least loss that the scores without it can have, on any scale.

    Of known attacks those seen, and those at least leaned to; of known benign texts those that are quiet, and with the
    head no more. The head was fitted to leave all of these as they are.
    """

    attacks: int
    caught: tuple[int, int]
    benign: int
    alarms: tuple[int, int]
    loss: tuple[float, float]
    plain: float
    seen: tuple[int, int]
    leaned: tuple[int, int]
    quiet: int
    strayed: int

    @classmethod
    def of(cls, scale: Scale, labelled: Scored, known: Scored) -> Self:
        attack, without, with_head = labelled
        before, after = without >= scale.certain, with_head >= scale.certain
        real, *others = known
        seen, still = (one >= scale.certain for one in others)
        leaned, leans = (one >= scale.doubt for one in others)
        aims = attack.astype(np.float64)
        return cls(
            attacks=int(attack.sum()),
            caught=(int((before & attack).sum()), int((after & attack).sum())),
            benign=int((~attack).sum()),
            alarms=(int((before & ~attack).sum()), int((after & ~attack).sum())),
            loss=(_loss(scale, without, aims), _loss(scale, with_head, aims)),
            plain=_least_loss(without, aims),
            seen=(int((seen & real).sum()), int((seen & still & real).sum())),
            leaned=(int((leaned & real).sum()), int((leaned & leans & real).sum())),
            quiet=int((~seen & ~real).sum()),
            strayed=int((~seen & still & ~real).sum()),
        )

    @property
    def objection(self) -> str:
        """Why the head must not be used; empty for one that is better than none."""
        before, after = (self.attacks - self.caught[n] + self.alarms[n] for n in (0, 1))
        for what, (without, with_head) in (("see", self.seen), ("lean to", self.leaned)):
            if with_head < _KEPT * without:
                return f"of {without} known attacks it would {what} {with_head}"
        if self.strayed > _STRAYED * self.quiet:
            return f"it would raise {self.strayed} false alarms among {self.quiet} texts without any"
        # Being less sure of everything is no learning; where there is but one kind of label nobody can tell.
        one_kind = not (self.attacks and self.benign)
        fewer = before - after >= _FEWER * (self.attacks + self.benign)
        learned = one_kind or fewer or self.loss[1] < _BELOW * self.plain
        if after > before or self.loss[1] >= self.loss[0] or not learned:
            return "on labelled texts that it has not seen it does no better than what ships"
        return ""


def log_losses(scale: Scale, scores: Floats, aims: Floats) -> Floats:
    """Return the log loss of each text's chance."""
    odds = np.clip(scale.log_odds(scores), -30, 30)
    losses: Floats = np.logaddexp(0, odds) - aims * odds
    return losses


def _loss(scale: Scale, scores: Floats, aims: Floats) -> float:
    return float(log_losses(scale, scores, aims).mean())


def _least_loss(scores: Floats, aims: Floats) -> float:
    """Return the mean log loss of a logistic regression on the scores alone (Newton's method, damped)."""
    columns = np.stack([scores, np.ones_like(scores)])
    fitted = np.zeros(2)
    for _ in range(_TURNS):
        chance = 1 / (1 + np.exp(-np.clip(fitted @ columns, -30, 30)))
        curve = (columns * (chance * (1 - chance))) @ columns.T + 1e-3 * np.eye(2)
        fitted = fitted - np.linalg.solve(curve, columns @ (chance - aims) + 1e-3 * fitted)
    odds = np.clip(fitted @ columns, -30, 30)
    return float((np.logaddexp(0, odds) - aims * odds).mean())
