"""Letters set apart by white space or signs: `i g n o r e`, `i.g.n.o.r.e a.l.l`, one letter a line."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from detectors.decoders._words import PARTED, parted
from detectors.decoding import Decoder, Pieces, Run, stretches
from detectors.types import Span

_SIGN = r"[\s.,/+~_*|·•-]"
_LETTER = r"[^\W_]"
_RUN = re.compile(rf"(?<!{_LETTER}){_LETTER}(?:{_SIGN}{{1,3}}{_LETTER}(?!{_LETTER})){{4,}}+")
_LETTERS = re.compile(_LETTER)
_SIGNS = re.compile(rf"{_SIGN}+")
# Between words stand more signs than between letters: what is left of a run where `i` signs are between letters.
_KEPT = tuple(re.compile(rf"{_LETTER}|{_SIGN}{{{narrow + 1},}}") for narrow in range(4))
# Or blanks stand between words and other signs between letters.
_KEPT_BLANKS = re.compile(rf"{_LETTER}|[.,/+~_*|·•-]*\s{_SIGN}*")
_CHARACTERS = re.compile(r"(?<!\S)\S(?:[ \t]{1,3}\S(?!\S)){7,}+")
_NO_WORD, _DARK = re.compile(r"[@:=0-9]"), re.compile(r"\S|[ \t]{3}")
_UNPARTED = 12  # letters in a row that are no single word


def _decode(text: str) -> Iterator[Run]:
    for stretch in stretches(text, _RUN):
        part = text[stretch.start : stretch.end]
        yield Run(stretch, _RUN.sub(_joined, part), Pieces(partial(_places, part)))
    yield from _as_written(text)


def _as_written(text: str) -> Iterator[Run]:
    """Yield rows of single characters of any kind with only the blanks left out: addresses, keys, numbers."""
    for row in _CHARACTERS.finditer(text):
        if _NO_WORD.search(row.group()):
            said = row.group()
            kept = [match.start() for match in _DARK.finditer(said)]
            places = [Span(i, i + 1) for i in kept]
            yield Run(Span(*row.span()), "".join(said[i] for i in kept), Pieces(partial(list, places)))


def _joined(row: re.Match[str]) -> str:
    """Return a row of letters as words."""
    run = row.group()
    kept = _kept(run)
    if kept is None:
        said = _SIGNS.sub("", run)
        return PARTED.sub(_set_apart, said) if len(said) >= _UNPARTED else said
    return _SIGNS.sub(" ", "".join(kept.findall(run)))


def _places(part: str) -> Sequence[Span]:
    """Where each character came from: those of rows by letter, all others as they are."""
    places: list[Span] = []
    end = 0
    for row in _RUN.finditer(part):
        places += [Span(i, i + 1) for i in range(end, row.start())]
        places += [place.shift(row.start()) for place in _places_in(row.group())]
        end = row.end()
    return places + [Span(i, i + 1) for i in range(end, len(part))]


def _places_in(run: str) -> Sequence[Span]:
    kept = _kept(run)
    places = [Span(*piece.span()) for piece in (kept or _LETTERS).finditer(run)]
    if kept is not None or len(places) < _UNPARTED:
        return places
    return [places[index] for index in parted(_SIGNS.sub("", run))]


def _kept(run: str) -> re.Pattern[str] | None:
    """Return what finds the letters and the gaps between words; None where nothing tells the gaps."""
    signs = Counter(_SIGNS.findall(run))
    blank = sum(count for sign, count in signs.items() if any(map(str.isspace, sign)))
    if 0 < blank < signs.total() / 2:
        return _KEPT_BLANKS
    widths = set(map(len, signs))
    return _KEPT[min(widths)] if len(widths) > 1 else None


def _set_apart(word: re.Match[str]) -> str:
    return f" {word.group()} "


_GATE_LETTER = r"[A-Za-z0-9\x{80}-\x{10FFFF}]"
DECODER: Final = Decoder("spaced", rf"{_GATE_LETTER}(?:[\s.,/+~_*|·•-]{{1,3}}{_GATE_LETTER}){{4}}", _decode)
