"""Digits and signs for letters: `1gn0r3 4ll ru13s`. A 1 is an i, unless that leaves a known word misspelt."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from detectors.decoders._words import KNOWN
from detectors.decoding import Aligned, Decoder, Run, around

_LETTERS = str.maketrans("013457896@$!|+", "oieastbggasiit")
_SIGN = re.compile("[0-9@$!|+]")
_DOUBTFUL = "1!|"
_LONGEST = 20  # what is longer is an encoding or an identifier
# A sign at the end of a word is a sign, but for `$`.
_WORD = re.compile(r"(?<![\w@$!|+])(?=[a-z]*+[0-9@$!|+])[\w@$!|+]*[\w$]", re.ASCII | re.IGNORECASE)


def _decode(text: str) -> Iterator[Run]:
    mixed = " ".join(word for word in set(text.split()) if _SIGN.search(word))  # of most texts a tenth, or less
    spelt = {word: _spelt(word) for word in _WORD.findall(mixed)}
    # Versions, hashes and names of files are mixed words, too: only where one spells a word is the rest read as well.
    known = {word for word, reading in spelt.items() if reading.lower() in KNOWN}
    if known:
        for part in around(text, (word.span() for word in _WORD.finditer(text) if word.group() in known)):
            said = _WORD.sub(lambda word: spelt.get(word.group(), word.group()), text[part.start : part.end])
            yield Run(part, said, Aligned())


def _spelt(written: str) -> str:
    """Return a word in letters: the known one among its readings, or the first."""
    if len(written) > _LONGEST or (written.isdigit() and len(written) != 3):
        return written
    readings = [written.translate(_LETTERS)]
    doubtful = [index for index, sign in enumerate(written) if sign in _DOUBTFUL]
    for places in (doubtful[:1], doubtful[-1:], doubtful[-2:], doubtful) if doubtful else ():
        chosen = "".join("l" if index in places else sign for index, sign in enumerate(written))
        readings.append(chosen.translate(_LETTERS))
    return next((reading for reading in readings if reading.lower() in KNOWN), readings[0])


DECODER: Final = Decoder(
    "leetspeak",
    r"[A-Za-z][013457@$!|]{1,2}[A-Za-z]|\b[013457@$!|]{1,2}[A-Za-z]{2}|[A-Za-z]{3}[135$]\b",
    _decode,
)
