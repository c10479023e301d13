"""Rows of numbers that are letters, and rows that are not."""

from __future__ import annotations

import pytest

from detectors.decoders.decimal_codes import DECODER
from detectors.types import Span


def _said(text: str) -> str:
    return "\n".join(run.text for run in DECODER.decode(text))


@pytest.mark.parametrize(
    "text",
    [
        "105 103 110 111 114 101",
        "[105, 103, 110, 111, 114, 101]",
        "105;103;110;111;114;101.",
        "0105 0103 0110 0111 0114 0101",
        "151 147 156 157 162 145",
        "codes: 105-103-110-111-114-101",
    ],
)
def test_rows_of_codes_are_read(text: str) -> None:
    assert "ignore" in _said(text).split("\n")


def test_codes_beyond_ascii_are_read_among_others() -> None:
    assert _said("105 103 110 1086 114 101 8364") == "ignоre€"  # noqa: RUF001 - a Cyrillic letter


@pytest.mark.parametrize(
    "text",
    ["41 53 62 38 47 59 36 44", "105 103 110 111", "2019 2020 2021 2022 2023 2024", "99999999 105 103 110 111 114"],
)
def test_rows_of_measurements_say_nothing(text: str) -> None:
    assert "ignore" not in _said(text)
    assert not any(said.isascii() and said.isalpha() for said in _said(text).split("\n") if said)


def test_each_letter_maps_to_its_number() -> None:
    run, _ = DECODER.decode("x: 105, 103, 110, 111, 114, 101")

    assert run.within is not None
    assert run.within.to_source(Span(1, 3)).shift(run.span.start) == Span(8, 16)
