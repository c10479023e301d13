"""Characters as seven or eight binary digits each, set apart or not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from detectors.compressed import said_by
from detectors.decoding import Decoder, Run
from detectors.types import Span

_GAP = r"[\s,;|_-]{0,3}"
_RUN = re.compile(rf"(?:0[bB])?[01]{{7}}(?:{_GAP}(?:0[bB])?[01]+)*+")
_NOISE = re.compile(r"0[bB]|[^01]")


def _decode(text: str) -> Iterator[Run]:
    for match in _RUN.finditer(text):
        digits = _NOISE.sub("", match.group())
        for width in (8, 7):
            said = said_by(_bytes(digits, width))
            if said is not None:
                yield Run(Span(*match.span()), said.text, cut=said.cut)
                break


def _bytes(digits: str, width: int) -> bytes:
    whole = digits[: len(digits) - len(digits) % width]
    if width == 8:
        return int(whole, 2).to_bytes(len(whole) // 8) if whole else b""
    return bytes(int(whole[i : i + width], 2) for i in range(0, len(whole), width))


DECODER: Final = Decoder("binary", rf"(?:(?:0[bB])?[01]{{7,8}}{_GAP}){{6}}", _decode)
