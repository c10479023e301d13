"""Character codes as numbers, decimal or octal: `73 103 110`, `[73, 103, 110]`, `111 147 156`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from detectors.decoding import SHORTEST, Decoder, Pieces, Run
from detectors.stepwise import every
from detectors.types import Span

_GAP = r"[\s,;:|/-]{1,3}"
_NUMBER = re.compile("[0-9]+")
_RUN = re.compile(rf"(?<![0-9])[0-9]{{2,6}}(?:{_GAP}[0-9]{{2,6}}(?![0-9])){{{SHORTEST - 1},}}+")
_OCTAL = re.compile("0?[01][0-7]{2}|0?40|0?1[25]")
_MOSTLY = 0.7  # of a text are letters and blanks; of a row of measurements, as characters, about half
_LARGEST = 0x10FFFF


def _decode(text: str) -> Iterator[Run]:
    for match in _RUN.finditer(text):
        numbers = every(_NUMBER, match.group())
        # Numbers without 8 and 9 may be either; both readings of capitals are letters.
        for base in (10, 8) if all(_OCTAL.fullmatch(number) for number in numbers) else (10,):
            said = _said(numbers, base)
            if _is_prose(said):
                yield Run(Span(*match.span()), said, Pieces(partial(_places, match.group())))


def _places(run: str) -> Sequence[tuple[int, int]]:
    return [number.span() for number in _NUMBER.finditer(run)]


def _said(numbers: list[str], base: int) -> str:
    codes = [int(number, base) for number in numbers]
    return "".join(chr(c) if c <= _LARGEST and not 0xD800 <= c <= 0xDFFF else "\ufffd" for c in codes)


def _is_prose(said: str) -> bool:
    return sum(c.isalpha() or c == " " for c in said) >= _MOSTLY * len(said)


# Letters and blanks, six in a row but for one sign between them.
_DECIMAL_LETTER, _OCTAL_LETTER = "(?:32|6[5-9]|[78][0-9]|90|9[7-9]|1[01][0-9]|12[0-2])", "0?(?:40|1[0-7]{2})"
DECODER: Final = Decoder(
    "decimal_codes",
    "|".join(rf"\b(?:{letter}(?:{_GAP}[0-9]{{2,3}})?{_GAP}){{5}}" for letter in (_DECIMAL_LETTER, _OCTAL_LETTER)),
    _decode,
)
