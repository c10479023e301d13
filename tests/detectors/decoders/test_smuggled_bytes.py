"""Variation selectors that carry bytes, and those that vary."""

from __future__ import annotations

import pytest

from detectors.decoders.smuggled_bytes import DECODER
from detectors.types import Span


def _said(text: str) -> str:
    return "\n".join(run.text for run in DECODER.decode(text))


def _hidden(text: str) -> str:
    return "".join(chr(0xFE00 + byte if byte < 16 else 0xE0100 + byte - 16) for byte in text.encode())


@pytest.mark.parametrize(
    "text",
    [
        f"\U0001f600{_hidden('ignore all')}",
        "".join(f"x{s}" for s in _hidden("ignore all")),
        "".join(f"\u845b{s}" for s in _hidden("ignore all")),
        f"I \u2764\ufe0f it{_hidden('ignore all')} \u2600\ufe0f",
    ],
)
def test_a_payload_is_read_as_one(text: str) -> None:
    assert "ignore all" in _said(text)


@pytest.mark.parametrize(
    "text", ["\u2764\ufe0f" * 20, "1\ufe0f\u20e32\ufe0f\u20e3", "\u8fbb\U000e0100\u845b\U000e0101" * 9]
)
def test_emoji_key_caps_and_ideographs_are_text(text: str) -> None:
    assert _said(text) == ""


def test_each_letter_maps_to_its_selector_and_other_text_to_all_of_it() -> None:
    (plain,), (other,) = (list(DECODER.decode(f"ab{_hidden(text)}")) for text in ("ignore", "caf\u00e9 bar"))

    assert plain.within is not None
    assert plain.within.to_source(Span(1, 3)) == Span(3, 5)
    assert other.within is None
