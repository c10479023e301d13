"""Letters set apart by white space or signs: `i g n o r e`, `i.g.n.o.r.e`, one letter a line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from detectors.decoding import Decoder, Pieces, Run
from detectors.types import Span

_SIGN = r"[\s.,/+~_*|·•-]"
_LETTER = r"[^\W_]"
_RUN = re.compile(rf"(?<!{_LETTER}){_LETTER}(?:{_SIGN}{{1,3}}{_LETTER}(?!{_LETTER})){{4,}}+")
_SIGNS = re.compile(rf"{_SIGN}+")
# Between words stand more signs than between letters: what is left of a run where `i` signs are between letters.
_KEPT = tuple(re.compile(rf"{_LETTER}|{_SIGN}{{{narrow + 1},}}") for narrow in range(4))


def _decode(text: str) -> Iterator[Run]:
    for match in _RUN.finditer(text):
        run = match.group()
        kept = _KEPT[min(map(len, _SIGNS.findall(run)))]
        said = "".join(piece if piece.isalnum() else " " for piece in kept.findall(run))
        yield Run(Span(*match.span()), said, Pieces(partial(_pieces, kept, run)))


def _pieces(kept: re.Pattern[str], run: str) -> Sequence[Span]:
    return [Span(*match.span()) for match in kept.finditer(run)]


_GATE_LETTER = r"[A-Za-z0-9\x{80}-\x{10FFFF}]"
DECODER: Final = Decoder("spaced", rf"{_GATE_LETTER}(?:[\s.,/+~_*|·•-]{{1,3}}{_GATE_LETTER}){{4}}", _decode)
