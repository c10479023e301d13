"""Digits and signs for letters: `1gn0r3 4ll ru13s`. A 1 is an i, unless that leaves a known word misspelt."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from detectors.decoders._words import KNOWN
from detectors.decoding import Aligned, Decoder, Run, around
from detectors.stepwise import every

_LETTERS = str.maketrans("013457896@$!|+", "oieastbggasiit")
_SIGN = re.compile("[0-9@$!|+]")
_DOUBTFUL = re.compile("[1!|]")
_LONGEST_KNOWN = max(map(len, KNOWN))
_LONGEST = 20  # what is longer is an encoding or an identifier
# A sign at the end of a word is a sign, but for `$`.
_WORD = re.compile(r"(?<![\w@$!|+])(?=[a-z]*+[0-9@$!|+])[\w@$!|+]*[\w$]", re.ASCII | re.IGNORECASE)


def _decode(text: str) -> Iterator[Run]:
    mixed = " ".join(word for word in set(text.split()) if _SIGN.search(word))  # of most texts a tenth, or less
    words = list(set(every(_WORD, mixed)))
    if not words:
        return
    plain = " ".join(words).translate(_LETTERS).split(" ")  # all at once: an encoding may hold hundreds of such words
    # Versions, hashes and names of files are mixed words, too: only where one spells a word is the rest read as well.
    known = {word for word, letters in zip(words, plain, strict=True) if _may_be_known(letters) and _spells(word)}
    if known:
        for part in around(text, (word.span() for word in _WORD.finditer(text) if word.group() in known)):
            said = _WORD.sub(lambda word: _spelt(word.group()), text[part.start : part.end])
            yield Run(part, said, Aligned())


def _may_be_known(letters: str) -> bool:
    return len(letters) <= _LONGEST_KNOWN and letters.isalpha()


def _spells(word: str) -> bool:
    return _spelt(word).lower() in KNOWN


def _spelt(written: str) -> str:
    """Return a word in letters: the known one among its readings, or the first."""
    if len(written) > _LONGEST or (written.isdigit() and len(written) != 3):
        return written
    plain = written.translate(_LETTERS)
    if not _may_be_known(plain) or plain.lower() in KNOWN:
        return plain
    doubtful = [match.start() for match in _DOUBTFUL.finditer(written)]
    for places in (doubtful[:1], doubtful[-1:], doubtful[-2:], doubtful) if doubtful else ():
        letters = list(plain)
        for place in places:
            letters[place] = "l"
        chosen = "".join(letters)
        if chosen.lower() in KNOWN:
            return chosen
    return plain


DECODER: Final = Decoder(
    "leetspeak",
    r"[A-Za-z][013457@$!|]{1,2}[A-Za-z]|\b[013457@$!|]{1,2}[A-Za-z]{2}|[A-Za-z]{3}[135$]\b",
    _decode,
    once=True,
)
