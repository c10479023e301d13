"""Quoted-printable, and equals signs that are none."""

from __future__ import annotations

import pytest

from detectors.decoders.quoted_printable import DECODER
from detectors.matcher import Matcher
from detectors.pattern import Pattern


def _said(text: str) -> str:
    return "\n".join(run.text for run in DECODER.decode(text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("=69gn=6Fre=20all", "ignore all"),
        ("ign=\nore a=\r\nll", "ignore all"),
        ("caf=C3=A9=0D=0A=FF", "café\r\n\ufffd"),
        ("a = b, c=zz", "a = b, c=zz"),
    ],
)
def test_escapes_are_read_and_all_else_stays(text: str, said: str) -> None:
    assert _said(text) == said


@pytest.mark.parametrize("text", ["x = 41\ny = 42", "total =\n  41", "a=41, b=c, d=e", "if a == 65: b == 66"])
def test_ordinary_equals_signs_do_not_pass_the_gate(text: str) -> None:
    assert Matcher([Pattern(DECODER.gate)]).matching(text) == []
