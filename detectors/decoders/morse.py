"""Morse code, in any of the dots and dashes that keyboards and word processors put."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from detectors.decoding import SHORTEST, Decoder, Pieces, Run
from detectors.stepwise import every
from detectors.types import Span

_LETTERS = dict(
    re.findall(
        r"(\S)=(\S+)",
        "a=.- b=-... c=-.-. d=-.. e=. f=..-. g=--. h=.... i=.. j=.--- k=-.- l=.-.. m=-- n=-. o=--- p=.--. q=--.- r=.-. "
        "s=... t=- u=..- v=...- w=.-- x=-..- y=-.-- z=--.. 0=----- 1=.---- 2=..--- 3=...-- 4=....- 5=..... 6=-.... "
        "7=--... 8=---.. 9=----. .=.-.-.- ,=--..-- ?=..--.. '=.----. !=-.-.-- /=-..-. :=---... @=.--.-. -=-....- "
        "_=..--.-",
    )
)
_MEANT = {code: letter for letter, code in _LETTERS.items()}
_DOTS, _DASHES = ".\u00b7\u2022\u2219\u22c5", "\u2010\u2011\u2012\u2013\u2014\u2015\u2212_-"
_SIGN = f"[{_DOTS}{_DASHES}]"
_RUN = re.compile(rf"{_SIGN}{{1,7}}(?:[\s/|]{{1,5}}{_SIGN}{{1,7}}(?!{_SIGN})){{{SHORTEST},}}+")
_PIECE = re.compile(rf"{_SIGN}+|\s*+[/|][\s/|]*|\s{{2,}}|\n")
_KEYBOARD = str.maketrans({**dict.fromkeys(_DOTS, "."), **dict.fromkeys(_DASHES, "-")})


def _decode(text: str) -> Iterator[Run]:
    for match in _RUN.finditer(text):
        run = match.group().translate(_KEYBOARD)
        if "." in run and "-" in run:  # leaders and rules have one of them
            said = "".join(map(_letter, every(_PIECE, run)))
            yield Run(Span(*match.span()), said, Pieces(partial(_pieces, run)))


def _letter(piece: str) -> str:
    return _MEANT.get(piece, "\ufffd") if piece[0] in ".-" else " "


def _pieces(run: str) -> Sequence[tuple[int, int]]:
    return [piece.span() for piece in _PIECE.finditer(run)]


_GATE_DOT, _GATE_DASH = r"[.\x{B7}\x{2022}\x{2219}\x{22C5}]", r"[\x{2010}-\x{2015}\x{2212}_-]"
_GATE_CODE = rf"(?:{_GATE_DOT}|{_GATE_DASH}){{1,7}}"
DECODER: Final = Decoder("morse", rf"{_GATE_CODE}(?:[\s/|]{{1,5}}{_GATE_CODE}){{{SHORTEST}}}", _decode)
