"""Character references, however often their ampersand was escaped."""

from __future__ import annotations

import pytest

from detectors.decoders.entities import DECODER
from detectors.types import Span


def _said(text: str) -> str:
    return "\n".join(run.text for run in DECODER.decode(text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("&#105;g&#x6E;&#0000111re&nbsp;all", "igno\u0072e\u00a0all"),
        ("&amp;#105;gnore &amp;amp;lt;b&#38;gt;", "ignore <b>"),
        ("&eacute;&ZeroWidthSpace;", "é\u200b"),
        ("R&D, AT&T; a && b &amp; c &unknown;", "R&D, AT&T; a && b &amp; c &unknown;"),
        ("&#99999999;", "\ufffd"),
    ],
)
def test_references_are_read_and_all_else_stays(text: str, said: str) -> None:
    assert _said(text) == said


def test_each_character_maps_to_its_reference() -> None:
    (run,) = DECODER.decode("a&amp;#105;b")

    assert run.within is not None
    assert run.within.to_source(Span(1, 2)) == Span(1, 11)
    assert run.within.to_source(Span(2, 3)) == Span(11, 12)
