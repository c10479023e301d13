"""Base32, both alphabets of RFC 4648, upper or lower case, padded or not, wrapped over lines or not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from detectors.compressed import said_by
from detectors.decoding import Decoder, Run
from detectors.types import Span

_GLUE = r"[ \t\r]*\n[\s>|]*+"
_RUN = re.compile(rf"\b[A-Za-z0-9]{{16,}}+(?:{_GLUE}[A-Za-z0-9]{{4,}}+)*+(?:{_GLUE}[A-Za-z0-9]{{1,3}}\b)?={{0,6}}")
_BLANK = re.compile(r"[\s>|=]+")
_STANDARD, _EXTENDED = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "0123456789ABCDEFGHIJKLMNOPQRSTUV"
_FROM_STANDARD = str.maketrans(_STANDARD, _EXTENDED)
_ALPHABETS: tuple[tuple[re.Pattern[str], dict[int, int]], ...] = (
    (re.compile(r"(?=[A-Za-z]*[2-7])(?:[A-Z2-7]+|[a-z2-7]+)"), _FROM_STANDARD),
    (re.compile(r"(?=[0-9]*[A-Za-z])(?=[A-Za-z]*[0-9])(?:[0-9A-V]+|[0-9a-v]+)"), {}),
)


def _decode(text: str) -> Iterator[Run]:
    for match in _RUN.finditer(text):
        symbols = _BLANK.sub("", match.group())
        for looks, turn in _ALPHABETS:
            said = said_by(_bytes(symbols.upper().translate(turn))) if looks.fullmatch(symbols) else None
            if said is not None:
                yield Run(Span(*match.span()), said.text, cut=said.cut)
                break


def _bytes(symbols: str) -> bytes:
    """Return the whole bytes that symbols of the extended alphabet make: to Python they are digits of base 32."""
    bits = 5 * len(symbols)
    return (int(symbols, 32) >> bits % 8).to_bytes(bits // 8)


# Words have no digits: any run of 23 symbols with one has eleven others before or behind it.
_GATES = (f"[0-9]{some}{{11}}|{some}{{11}}[0-9]" for some in ("[A-Z0-9]", "[a-z0-9]"))
DECODER: Final = Decoder("base32", "|".join(_GATES), _decode)
