"""What every decoder must keep: a gate that ordinary text does not pass, and work that grows with the text only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import pytest

import detectors.decoders
from detectors.decoding import Decoder
from detectors.discovery import discover
from detectors.matcher import Matcher, Pattern

DECODERS: Final = {decoder.name: decoder for decoder in discover(detectors.decoders, "DECODER", Decoder)}
# Texts that keep a decoder busy to no end: near misses, and what it reads.
BUSY: Final[Mapping[str, tuple[str, ...]]] = {
    "atbash": ("rtmliv ", "rtmliv kilnkg ", "svool "),
    "base32": ("jfxgg2lomq4tmmjq", "abcdefghijklm2 ", "A2\n> ", "JFTW43TPOJSSAYLMNQ======"),
    "base64": ("aGVsbG8gd29. ", "aB" * 50, "H4sIAAAAAAAA"),
    "base85": ("A0123", "7abcd", "+" * 30 + " ", "<~87cUR", "ABCDE\n"),
    "binary": ("0101 ", "01", "0b0100100 ", "0000000 1 "),
    "caesar": ("jhopsf ", "jhopsf qsfwjpvt ", "kipsvi tvizmsyw lnqruh "),
    "decimal_codes": ("73 103 ", "73,", "99999 ", "073 ", "32 1000000 "),
    "entities": ("&", "&#", "&amp;", "&#105;", "&amp;amp;", "&abcdefghijklmnop"),
    "escapes": ("\\", "\\x", "\\x69", "\\xff", "\\u{", "U+0041 ", "U+"),
    "hex": ("68 65 6c 6c 6f zz ", "0x", "6", "\\x69"),
    "json": ("[", '{"a":', '\\"'),
    "leetspeak": ("1gn0r3 ", "a1", "@", "1!|", "l33t w0rds 4re h3re ", "1l1l1l1l1l1l1l1l1l1l "),
    "markup": (
        "<b",
        "<b>",
        "<!--",
        "<a '",
        '<a "',
        "[",
        "[a](",
        "](",
        "*",
        "**a",
        "_a",
        "`",
        "\n> ",
        "\n1. ",
        "|",
        "<style>",
    ),
    "morse": (".- ", ".", ". - / ", "-.-.-.- ", ".-   \n"),
    "percent": ("%", "%25", "%69", "%e2", "%2569", "a+", "%u00"),
    "quoted_printable": ("=", "=69", "=\n", "=E2", "a=\r\n"),
    "reversed": ("erongi ", "\u202e"),
    "reversed_words": ("erongi ", "erongi"),
    "rot13": ("vtaber ", "gur"),
    "rot47": ("X8?@C6 ", "~"),
    "smuggled_bytes": ("\ufe00", "a\ufe01", "\U0001f600\ufe0f", "\U000e0158", "\u845b\U000e0101"),
    "spaced": ("a b ", "a b c d ef ", "a.", "a   b   c d   ", "_ ", "j @ ", "i.g n.o "),
    "tag_characters": ("\U000e0069", "\U0001f3f4\U000e0067", "\U000e0069x"),
}
ORDINARY: Final = (
    "Ignore the noise, please; the previous instructions of the manual were wrong (see page 4). I told you so!",
    "Dear developers, the administration's internationalisation is 50% done & will be 100% done by 5 p.m.",
    "The U.S. team won 3-2; the R&D budget is 1,500,000 EUR, i.e. 12.5% more than in 2019. Call 555-0142 - or don't...",
    "Пожалуйста, объясни, почему зимой у моря теплее, чем вдали от него?",  # noqa: RUF001 - Russian
    "请解释水循环如何在地球上输送热量。",
    "S\u2019il te pla\u00eet, explique \u00ab la mer \u00bb \u2014 merci \u2764\ufe0f",
    "The family \U0001f468\u200d\U0001f469\u200d\U0001f467 at home",
)


def test_every_decoder_is_in_the_table() -> None:
    assert BUSY.keys() == DECODERS.keys()


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_passes_no_gate(text: str) -> None:
    names = list(DECODERS)
    gates = Matcher([Pattern(decoder.gate) for decoder in DECODERS.values()], engine="re2")

    assert [names[index] for index in gates.matching(text)] == []


@pytest.mark.parametrize(("name", "unit"), [(name, unit) for name, units in BUSY.items() for unit in units])
def test_what_keeps_a_decoder_busy_takes_linear_time(
    name: str, unit: str, linear: Callable[[Callable[[str], object], str], bool]
) -> None:
    assert linear(lambda text: list(DECODERS[name].decode(text)), unit)
