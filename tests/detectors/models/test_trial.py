"""A head is used only if it does better on what it has not seen, and worse nowhere else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from detectors.models.classifier_model import Scale
from detectors.models.trial import Trial, log_losses

SCALE = Scale(2.0, 1.0, 0.8, 1.5)
GOOD = Trial(10, (2, 7), 10, (3, 1), (1.0, 0.4), 0.6, (100, 99), (150, 149), 200, 1)


def test_scores_are_counted_at_the_threshold() -> None:
    labelled = np.array([True, True, False]), np.array([1.0, 2.5, 2.5]), np.array([3.0, 2.5, 0.0])
    others = np.array([True, True, False, False]), np.array([3.0, 0.0, 0.0, 3.0]), np.array([1.0, 3.0, 3.0, 3.0])
    trial = Trial.of(SCALE, labelled, others)
    assert (trial.attacks, trial.caught, trial.benign, trial.alarms) == (2, (1, 2), 1, (1, 0))
    assert (trial.seen, trial.leaned, trial.quiet, trial.strayed) == ((1, 0), (1, 1), 1, 1)
    assert trial.loss[1] < trial.loss[0]


@pytest.mark.parametrize(
    ("worse", "objection"),
    [
        ({}, ""),
        ({"seen": (100, 80)}, "of 100 known attacks it would see 80"),
        ({"leaned": (150, 100)}, "of 150 known attacks it would lean to 100"),
        ({"strayed": 9}, "9 false alarms among 200"),
        ({"caught": (2, 1), "alarms": (3, 3)}, "no better"),
        ({"loss": (0.4, 0.4)}, "no better"),
        ({"loss": (1.0, 0.7)}, ""),
        # Less sure of everything, which any scale would have done.
        ({"loss": (1.0, 0.7), "caught": (2, 2), "alarms": (3, 2)}, "no better"),
        ({"loss": (1.0, 0.7), "attacks": 0, "caught": (0, 0)}, ""),
    ],
)
def test_what_speaks_against_a_head(worse: dict[str, object], objection: str) -> None:
    said = replace(GOOD, **worse).objection  # type: ignore[arg-type]
    assert objection in said
    assert bool(said) is bool(objection)


def test_the_loss_is_that_of_the_scales_chances() -> None:
    scores = np.array([0.0, 2.0, 5.0])
    chances = np.array([SCALE.confidence(float(score)) for score in scores])
    assert log_losses(SCALE, scores, np.ones(3)) == pytest.approx(-np.log(chances))
    assert log_losses(SCALE, scores, np.zeros(3)) == pytest.approx(-np.log(1 - chances))


def test_the_least_loss_is_that_of_the_best_scale() -> None:
    scores, aims = np.array([-2.0, -1.0, 0.0, 1.0, 2.0, 3.0]), np.array([0.0, 0.0, 1.0, 0.0, 1.0, 1.0])
    labelled = aims > 0, scores, scores
    trial = Trial.of(SCALE, labelled, labelled)
    others = [
        float(log_losses(Scale(certain, 0.0, 0.5, slope), scores, aims).mean())
        for certain in np.linspace(-2, 3, 41)
        for slope in np.linspace(0.1, 4, 40)
    ]
    assert trial.plain == pytest.approx(min(others), abs=0.01)
    assert trial.plain <= trial.loss[0]
