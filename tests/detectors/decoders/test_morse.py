"""Morse code, and rows of dots and of dashes."""

from __future__ import annotations

import pytest

from detectors.decoders.morse import DECODER
from detectors.types import Span


def _said(text: str) -> str:
    return "\n".join(run.text for run in DECODER.decode(text))


IGNORE = ".. --. -. --- .-. . / .- .-.. .-.."


@pytest.mark.parametrize(
    "text", [IGNORE, IGNORE.replace(" / ", "   "), IGNORE.replace(" / ", "\n"), f"Read: {IGNORE.replace('-', '_')}"]
)
def test_letters_and_words_are_read(text: str) -> None:
    assert "ignore all" in _said(text)


def test_a_code_of_no_letter_is_no_letter() -> None:
    assert _said(f"{IGNORE} ......-") == "ignore all\ufffd"


@pytest.mark.parametrize(
    "text", ["Chapter 1 . . . . . . . . . . . 7", "| --- | --- | --- | --- | --- | --- | --- |", "- a\n- b"]
)
def test_leaders_and_rules_say_nothing(text: str) -> None:
    assert _said(text) == ""


def test_each_letter_maps_to_its_code() -> None:
    (run,) = DECODER.decode(f"say {IGNORE}")

    assert run.within is not None
    assert run.within.to_source(Span(1, 3)).shift(run.span.start) == Span(7, 13)
