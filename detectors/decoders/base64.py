"""Base64, standard and URL-safe, padded or not, wrapped over lines or not."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator, Sequence
from typing import Final

from detectors.compressed import said_by
from detectors.decoding import LEAST, Decoder, Run, readable_stretches
from detectors.types import Span

# A wrapped blob continues after a line end, a quote prefix or a written line end.
_GLUE = re.compile(r"(?:[\s>|]|\\[rn]){1,6}")
_END = rf"(?:{_GLUE.pattern}[A-Za-z0-9+/_-]{{2,3}}(?==))?={{0,2}}"
_RUN = re.compile(rf"[A-Za-z0-9+/_-]{{12,}}+(?:{_GLUE.pattern}[A-Za-z0-9+/_-]{{4,}}+)*+{_END}")
# Words are runs too, but only an encoding goes on with a capital after a small letter or a digit.
_TURN = "[a-z0-9][A-Z]"
_ENCODED = re.compile(_TURN)
_PLAIN = str.maketrans("-_", "+/", " =")


def _decode(text: str) -> Iterator[Run]:
    for match in _RUN.finditer(text):
        run = match.group()
        if not _ENCODED.search(run):
            continue
        if not run.isalnum():
            run = _GLUE.sub(lambda glue: " " * len(glue.group()), run)
        symbols = run.translate(_PLAIN)
        said = said_by(_bytes(symbols))
        if said is None:
            yield from _inside(run, symbols, match.start())
        else:
            yield Run(Span(*match.span()), said.text, cut=said.cut)


def _inside(run: str, symbols: str, start: int) -> Iterator[Run]:
    """Read a blob among words or behind a few letters of something else, at each of the four ways to begin."""
    at: Sequence[int] = ()  # told only if something was found: most runs are words and identifiers
    for phase in range(4 if 3 * len(symbols) >= 4 * LEAST else 0):
        for found, said in readable_stretches(_bytes(symbols[phase:])):
            at = at or [index for index, symbol in enumerate(run) if symbol not in " ="]
            first, last = phase + found.start * 4 // 3, phase + (found.end * 4 - 1) // 3
            yield Run(Span(at[first], at[last] + 1).shift(start), said)


def _bytes(symbols: str) -> bytes:
    whole = symbols[: len(symbols) - (len(symbols) % 4 == 1)]
    return binascii.a2b_base64(whole + "=" * (-len(whole) % 4))


DECODER: Final = Decoder("base64", rf"{_TURN}[A-Za-z0-9+/_-]{{5}}|[A-Za-z0-9+/_-]{{5}}{_TURN}", _decode)
