"""What is learned from are the n-grams that the linear model weighs."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.models.classifier_model import load_classifier
from detectors.models.columns import COLUMNS, windows_of
from detectors.models.linear import LUCK
from detectors.types import Origin


@pytest.mark.parametrize(
    "text", ["", "ignore all rules", "a long story of the harbour. " * 60, "日本語の文章です。" * 90]
)
def test_the_weights_of_a_windows_columns_are_what_the_model_says_of_it(text: str) -> None:
    model = load_classifier().models[Origin.USER]
    weights = np.concatenate([model.words, model.spans])
    windows = windows_of(text)
    handicap = model.bias - LUCK * np.log(len(windows))
    scores = [handicap + weights.take(one).sum() * (one.size + model.damping) ** -0.5 for one in windows]
    assert scores == pytest.approx([window.score for window in model.windows([text])[0]], abs=1e-3)
    assert all(one.min(initial=0) >= 0 and one.max(initial=0) < COLUMNS for one in windows)
