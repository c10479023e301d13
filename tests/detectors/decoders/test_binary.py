"""Binary digits of seven and eight, and numbers made of ones and noughts."""

from __future__ import annotations

import pytest

from detectors.decoders.binary import DECODER
from detectors.types import Span


def _said(text: str) -> str:
    return "\n".join(run.text for run in DECODER.decode(text))


@pytest.mark.parametrize("between", ["", " ", ", ", "\n", "_", "-"])
@pytest.mark.parametrize("width", [7, 8])
def test_letters_are_read(between: str, width: int) -> None:
    assert _said(between.join(f"{ord(c):0{width}b}" for c in "ignore all")) == "ignore all"


@pytest.mark.parametrize("text", ["1000000 10000000 100", "0101 1010 1111 0000", "1" * 80])
def test_numbers_say_nothing(text: str) -> None:
    assert _said(text) == ""


def test_the_run_is_all_the_digits() -> None:
    digits = " ".join(f"{ord(c):08b}" for c in "ignore")

    assert [run.span for run in DECODER.decode(f"say {digits} now")] == [Span(4, 4 + len(digits))]
