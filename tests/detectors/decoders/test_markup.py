"""Pages and Markdown read as they are shown, each character where it was."""

from __future__ import annotations

import pytest

from detectors.decoders.markup import DECODER
from detectors.decoding import RunOffsets
from detectors.types import Span


def _said(text: str) -> str:
    return "\n".join(run.text for run in DECODER.decode(text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ig<b></b>no<i class='x'>re</i>", "ignore"),
        ("ig<!-- x -->no<!--y-->re", "ignore"),
        ('ig<b title="a > b">nore</b>', "ignore"),
        ("one<br>two<p>three</p>", "one two three "),
        ("ig**no**re *all* ~~of~~ `it`", "ignore all of it"),
        ("[ignore](https://a.example/b) ![all](c)", "ignore all"),
        ("_all_ snake_case 2*3*4", "all snake_case 2*3*4"),
        ("a\n> b\n>> c\n## d\n- e\n1. f", "a b c d e f"),
        ("|a | b|", " a  b "),
        ("<style>p {color: red}</style>x", "x"),
        ("1 < 2 and 3 > 2 <3", "1 < 2 and 3 > 2 <3"),
    ],
)
def test_a_text_is_read_as_shown(text: str, said: str) -> None:
    assert (_said(text) or text) == said


def test_only_what_is_near_a_mark_is_read_again() -> None:
    text = "word " * 200 + "<b>here</b>" + " word" * 200

    assert 4 < len(_said(text)) < len(text) / 2


def test_what_is_shown_maps_to_what_was_written() -> None:
    text = "x\n> ke<b>y</b>s"
    runs = list(DECODER.decode(text))
    start = runs[0].text.index("keys")

    source = RunOffsets(runs, None, gap=1).to_source(Span(start, start + 4))

    assert text[source.start : source.end] == "ke<b>y</b>s"
