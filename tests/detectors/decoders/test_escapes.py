"""Escapes of program code, in what form and how often over they were written."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from detectors.decoders.escapes import DECODER
from detectors.decoding import RunOffsets
from detectors.matcher import Matcher
from detectors.pattern import Pattern
from detectors.types import Span


def _said(text: str) -> str:
    return "\n".join(run.text for run in DECODER.decode(text))


@pytest.mark.parametrize(
    "text",
    [
        r"\u0069gnore\u0020all",
        r'{"a": "\u0069gnore all", "b": "\ud800"}',
        r'{"a": "\u0069gnore all',
        r'Result: {"a": "\u0069gnore all"}',
        r'"{\\\"a\\\": \\\"\\\\u0069gnore all\\\"}',
        '```json\n{"a": "\\u0069gnore all"}\n```',
        r"\x69gnore\x20all",
        r"\u{69}gnore\u{000020}all",
        r"\U00000069gnore all",
        r"\151gnore\040all",
        "U+0069 U+0067 U+006E U+006F U+0072 U+0065 U+0020 U+0061 U+006C U+006C",
    ],
)
def test_a_text_of_escapes_is_read(text: str) -> None:
    assert Matcher([Pattern(DECODER.gate)]).matching(text) == [0]
    assert "ignore all" in _said(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (r"\ud835\udc22x", "\U0001d422x"),
        (r"a\ud800b", "a\ufffdb"),
        (r"a\\\\n b", "a\n b"),
        (r"\xc3\xa9", "é"),
        (r"\xff!", "\ufffd!"),
        (r"\U00110000", "\ufffd"),
    ],
)
def test_escapes_of_surrogates_of_bytes_and_of_escapes(text: str, said: str) -> None:
    assert _said(text) == said


@pytest.mark.parametrize("text", [r"C:\Users\anna", r"\section{One}", "U+0041 alone", r"a \ b"])
def test_ordinary_text_does_not_pass_the_gate(text: str) -> None:
    assert Matcher([Pattern(DECODER.gate)]).matching(text) == []


def test_an_unescaped_text_maps_back_exactly() -> None:
    text = r"key:\tsk-\u0061bc end"
    (run,) = DECODER.decode(text)
    start = run.text.index("sk-abc")

    source = RunOffsets([run], None, gap=1).to_source(Span(start, start + 6))

    assert text[source.start : source.end] == r"sk-\u0061bc"


@pytest.mark.parametrize("unit", ["\\", '\\"', "\\u00", "\\n", "\\ud83d", "\\x", "\\xff", "U+0041 ", "\\u{", "\\01"])
def test_hostile_texts_take_linear_time(unit: str, linear: Callable[[Callable[[str], object], str], bool]) -> None:
    assert linear(lambda text: list(DECODER.decode(text)), unit)
