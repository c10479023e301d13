"""What is found in the labelled sets: figures that may only get better."""

from __future__ import annotations

from collections import Counter
from typing import Final, NamedTuple

import pytest

from detectors.rules import load_signatures
from detectors.types import Category
from tests.labelled.finder import Finder
from tests.labelled.generate import HALVES, Line, lines


class Ceiling(NamedTuple):
    """F1 at least, and lines with nothing in them that are flagged at most, in each half."""

    f1: float
    flagged: int


CEILINGS: Final = {Category.CREDENTIAL: Ceiling(0.99, 0), Category.PII: Ceiling(0.975, 0)}


@pytest.fixture(scope="module")
def finder() -> Finder:
    return Finder()


@pytest.mark.parametrize(("category", "ceiling"), CEILINGS.items())
def test_no_half_of_a_set_falls_below_what_was_reached(category: Category, ceiling: Ceiling, finder: Finder) -> None:
    reached = finder.scores(category)

    assert [half for half, score in reached.items() if score.f1 < ceiling.f1 or score.flagged > ceiling.flagged] == []


@pytest.mark.parametrize("category", CEILINGS)
def test_a_set_has_a_thousand_lines_and_two_in_five_hold_nothing(category: Category) -> None:
    made = lines(category)
    empty = Counter(line.half for line in made if not line.labels)

    assert len(made) >= 1000
    assert all(empty[half] >= 0.4 * sum(line.half == half for line in made) for half in HALVES)


@pytest.mark.parametrize("category", CEILINGS)
def test_labels_stand_where_the_values_are(category: Category) -> None:
    def odd(line: Line) -> bool:
        return any(not line.text[label.span.start : label.span.end].strip() for label in line.labels)

    assert [line.text for line in lines(category) if odd(line)] == []


@pytest.mark.parametrize(("category", "at_least"), [(Category.CREDENTIAL, 60), (Category.PII, 25)])
def test_kinds_are_many_and_the_sets_hold_most_of_them(category: Category, at_least: int) -> None:
    kinds = {signature.kind for signature in load_signatures().of([category])}
    held = {label.kind for line in lines(category) for label in line.labels}

    assert held <= kinds
    assert len(held) >= at_least
