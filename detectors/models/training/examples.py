"""What the transformer learns from: of each text the windows that the linear model ranks first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import nan

from detectors.models.linear import LinearModel
from detectors.models.tokens import Tokens
from detectors.models.training.fit_transformer import Example
from detectors.models.training.rows import Row
from detectors.types import Category, Origin


def examples_of(
    rows: Sequence[Row], say: Sequence[float], models: Mapping[Origin, LinearModel], tokens: Tokens
) -> Iterator[Example]:
    """Yield the best window of each text, and of a benign one the second best, too."""
    for row, weight in zip(rows, say, strict=True):
        origin = Origin.TOOL if row.origin is Origin.TOOL else Origin.USER
        ranked = sorted(models[origin].windows([row.text])[0], key=lambda window: -window.score)
        raw = row.text.encode("utf-8", "replace")
        for window in ranked[: 1 if row.attack else 2]:
            text = raw[window.start : window.end].decode("utf-8", "ignore")
            yield Example(tokens.of(text, origin), labels_of(row), weight)


def labels_of(row: Row) -> tuple[float, float]:
    """Return what the heads should say: an attack or not; a harmful request or not, asked of the benign only."""
    harmful = row.category is Category.HARMFUL_REQUEST
    return (nan if harmful else float(row.attack), nan if row.attack else float(harmful))
