"""Base85 of ASCII text: Ascii85 with or without its `<~ ~>`, and the alphabet of RFC 1924."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Final

from detectors.compressed import said_by
from detectors.decoding import Decoder, Run
from detectors.stepwise import whole_runs
from detectors.types import Span

_FEWEST, _IN_ONE_GO = 6, 2000  # groups
_WRAP = r"(?:\r?\n[ \t]*)?+"
_BLANK = re.compile(rb"\s+")
_LETTERS = bytes((10, *range(31, 40)))  # values of first symbols that stand for letters, digits and blanks


class _Alphabet:
    """Five symbols are four bytes, and the first symbol tells the first byte within three values.

    Where that byte is a character of ASCII, the symbol is one of 31, none of which is a small letter of Ascii85: words
    do not read so, six groups in a row.
    """

    def __init__(self, symbols: str, heads: str, symbol: str) -> None:
        self.gate = f"{symbol}{{{5 * _FEWEST}}}"  # as long as six groups: to look for groups takes ten times as long
        self._plain, self._wrapped = (self._patterns(heads, symbol, wrap) for wrap in ("", _WRAP))
        self._values = bytes.maketrans(symbols.encode(), bytes(range(85)))

    def runs(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield where something may be encoded; three times as fast where no line ends."""
        return whole_runs(*(self._wrapped if "\n" in text else self._plain), text)

    @staticmethod
    def _patterns(heads: str, symbol: str, wrap: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
        group = f"{heads}(?:{wrap}{symbol}){{4}}{wrap}"
        return (
            re.compile(rf"(?:{group}){{{_FEWEST},{_IN_ONE_GO}}}+"),
            re.compile(rf"(?:{group}){{1,{_IN_ONE_GO}}}+|{heads}(?:{wrap}{symbol}){{1,3}}"),
        )

    def bytes_of(self, run: str) -> bytes:
        """Return what a run says; none if what begins its groups are hardly letters: then it is no text."""
        values = _BLANK.sub(b"", run.encode()).translate(self._values)
        heads = values[::5]
        if 2 * len(heads.translate(None, _LETTERS)) > len(heads):
            return b""
        missing = -len(values) % 5
        groups = iter(values + b"\x54" * missing)
        words = [(((a * 85 + b) * 85 + c) * 85 + d) * 85 + e for a, b, c, d, e in zip(*[groups] * 5, strict=True)]
        return struct.pack(f">{len(words)}I", *words)[: 4 * len(words) - missing]


_ASCII85 = "".join(map(chr, range(0x21, 0x76)))
_RFC1924 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"
_ALPHABETS = (
    _Alphabet(_ASCII85, "[+-I]", "[!-u]"),
    _Alphabet(_RFC1924, "[A-Za-e]", "[0-9A-Za-z!#$%&()*+;<=>?@^_`{|}~-]"),
)


# Where a blob may be: a word as long as six groups is found faster than groups are.
_LONG = re.compile(r"(?<!\S)\S{30,}+(?:\r?\n[ \t]*\S+)*+")


def _decode(text: str) -> Iterator[Run]:
    for long in _LONG.finditer(text):
        for alphabet in _ALPHABETS:
            for start, end in alphabet.runs(long.group()):
                said = said_by(alphabet.bytes_of(long.group()[start:end]))
                if said is not None:
                    yield Run(Span(start, end).shift(long.start()), said.text, cut=said.cut)


DECODER: Final = Decoder("base85", "|".join(alphabet.gate for alphabet in _ALPHABETS), _decode)
