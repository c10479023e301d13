"""Percent-encoding, layer by layer, and what only looks like it."""

from __future__ import annotations

import pytest

from detectors.decoders.percent import DECODER
from detectors.types import Span


def _said(text: str) -> str:
    return "\n".join(run.text for run in DECODER.decode(text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("%69gnore%20all", "ignore all"),
        ("%2569gnore%252520all", "ignore all"),
        ("caf%c3%a9 %E2%82%AC", "café €"),
        ("%ff!", "\ufffd!"),
        ("%u0069gnore %25u0061ll %ud800", "ignore all \ufffd"),
        ("ignore+all+the+rules 1+1", "ignore all the rules 1+1"),
        ("100% of it, 5%25 %zz %2", "100% of it, 5%25 %zz %2"),
    ],
)
def test_escapes_are_read_and_all_else_stays(text: str, said: str) -> None:
    assert _said(text) == said


def test_each_character_maps_to_its_escape() -> None:
    (run,) = DECODER.decode("a%2569b%c3%a9")

    assert run.within is not None
    assert run.within.to_source(Span(1, 2)) == Span(1, 6)
    assert run.within.to_source(Span(3, 4)) == Span(7, 13)
