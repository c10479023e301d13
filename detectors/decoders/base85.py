"""Base85 of ASCII text: Ascii85 with or without its `<~ ~>`, and the alphabet of RFC 1924."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Final

from detectors.compressed import said_by
from detectors.decoding import Decoder, Run
from detectors.types import Span

_FEWEST = 6  # groups
_WRAP = r"(?:\r?\n[ \t]*)?+"
_BLANK = re.compile(rb"\s+")


class _Alphabet:
    """Five symbols are four bytes, and the first symbol tells the first byte within three values.

    Where that byte is a character of ASCII, the symbol is one of 31, none of which is a small letter of Ascii85: words
    do not read so, six groups in a row.
    """

    def __init__(self, symbols: str, heads: str, symbol: str) -> None:
        self.gate = f"(?:{heads}{symbol}{{4}}){{{_FEWEST}}}"
        group = f"{heads}(?:{_WRAP}{symbol}){{4}}{_WRAP}"
        self.run = re.compile(rf"(?:{group}){{{_FEWEST},}}+(?:{heads}(?:{_WRAP}{symbol}){{1,3}})?")
        self._values = bytes.maketrans(symbols.encode(), bytes(range(85)))

    def bytes_of(self, run: str) -> bytes:
        """Return what a run says; none if what begins its groups are hardly letters: then it is no text."""
        values = _BLANK.sub(b"", run.encode()).translate(self._values)
        heads = values[::5]
        if 2 * sum(31 <= head <= 39 or head == 10 for head in heads) < len(heads):
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
            for match in alphabet.run.finditer(long.group()):
                said = said_by(alphabet.bytes_of(match.group()))
                if said is not None:
                    yield Run(Span(*match.span()).shift(long.start()), said.text, cut=said.cut)


DECODER: Final = Decoder("base85", "|".join(alphabet.gate for alphabet in _ALPHABETS), _decode)
