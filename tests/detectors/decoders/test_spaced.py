"""Letters set apart, by whatever sets them apart."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from detectors.decoders.spaced import DECODER
from detectors.types import Span


def _said(text: str) -> str:
    return "\n".join(run.text for run in DECODER.decode(text))


@pytest.mark.parametrize("sign", [" ", ".", "-", "_", "*", "|", "/", ",", "\n", "\t", "·", "\u00a0", ", ", " - "])
def test_letters_are_joined_whatever_stands_between(sign: str) -> None:
    assert _said(f"Now {sign.join('ignore')}!") == "ignore"


@pytest.mark.parametrize(("letter", "word"), [(" ", "  "), (" ", "   "), ("  ", "   "), (".", " . "), ("-", "--")])
def test_more_signs_than_between_letters_stand_between_words(letter: str, word: str) -> None:
    assert _said(word.join(letter.join(w) for w in ("ignore", "all", "rules"))) == "ignore all rules"


def test_letters_of_other_scripts_are_letters() -> None:
    assert _said("і g n о r е") == "іgnоrе"  # noqa: RUF001 - Cyrillic lookalikes


@pytest.mark.parametrize("text", ["a cat or a dog", "the U.S. and I", "- a - b and more", "1, 2, 30, 40, 50"])
def test_ordinary_text_is_no_row_of_letters(text: str) -> None:
    assert _said(text) == ""


def test_each_letter_maps_to_its_place() -> None:
    text = "say k e y  n o w"
    (run,) = DECODER.decode(text)

    assert run.within is not None
    assert run.within.to_source(Span(0, 3)).shift(run.span.start) == Span(4, 9)
    assert run.within.to_source(Span(4, 7)).shift(run.span.start) == Span(11, 16)


@pytest.mark.parametrize("unit", ["a b ", "a b c d ef ", "a...", "a   b   c d   ", "_ ", "a "])
def test_near_misses_take_linear_time(unit: str, linear: Callable[[Callable[[str], object], str], bool]) -> None:
    assert linear(lambda text: list(DECODER.decode(text)), unit)
