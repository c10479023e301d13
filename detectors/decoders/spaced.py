"""Letters set apart by white space or signs: `i g n o r e`, `i.g.n.o.r.e a.l.l`, one letter a line."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final, NamedTuple

from detectors.decoders._words import PARTED, parted
from detectors.decoding import Decoder, Pieces, Run, around
from detectors.stepwise import STEP, every, replaced, whole_runs
from detectors.types import Span

_SIGN = r"[\s.,/+~_*|·•-]"
_LETTER = r"[^\W_]"
_NEXT = rf"(?:{_SIGN}{{1,3}}{_LETTER}(?!{_LETTER}))"
_ROW = (re.compile(rf"(?<!{_LETTER}){_LETTER}{_NEXT}{{4,9999}}+"), re.compile(rf"{_NEXT}{{1,9999}}+"))
_LETTERS = re.compile(_LETTER)
_SIGNS = re.compile(rf"{_SIGN}+")
# Between words stand more signs than between letters: what is left of a run where `i` signs are between letters.
_KEPT = tuple(re.compile(rf"{_LETTER}|{_SIGN}{{{narrow + 1},}}") for narrow in range(4))
# Or blanks stand between words and other signs between letters.
_KEPT_BLANKS = re.compile(rf"{_LETTER}|[.,/+~_*|·•-]*\s{_SIGN}*")
_NEXT_CHARACTER = r"(?:[ \t]{1,3}\S(?!\S))"
_CHARACTERS = (
    re.compile(rf"(?<!\S)\S{_NEXT_CHARACTER}{{7,9999}}+"),
    re.compile(rf"{_NEXT_CHARACTER}{{1,9999}}+"),
)
_NO_WORD, _DARK = re.compile(r"[@:=0-9]"), re.compile(r"\S|[ \t]{3}")
_UNPARTED = 12  # letters in a row that are no single word


class _Row(NamedTuple):
    """A row of letters by its place, and what finds its letters and the gaps between its words."""

    start: int
    end: int
    kept: re.Pattern[str] | None


def _decode(text: str) -> Iterator[Run]:
    rows = list(whole_runs(*_ROW, text))
    for stretch in around(text, rows):
        own = rows[bisect_left(rows, (stretch.start, 0)) : bisect_left(rows, (stretch.end, 0))]
        known = [_Row(start, end, _kept(text[start:end])) for start, end in own]
        yield Run(stretch, _said(text, stretch, known), Pieces(partial(_places, text, stretch, known)))
    yield from _as_written(text)


def _as_written(text: str) -> Iterator[Run]:
    """Yield rows of single characters of any kind with only the blanks left out: addresses, keys, numbers."""
    for start, end in whole_runs(*_CHARACTERS, text):
        said = text[start:end]
        if _NO_WORD.search(said):
            kept = [match.start() for match in _DARK.finditer(said)]
            places = [(i, i + 1) for i in kept]
            yield Run(Span(start, end), "".join(said[i] for i in kept), Pieces(partial(list, places)))


def _said(text: str, stretch: Span, rows: Sequence[_Row]) -> str:
    """Return a part of a text with its rows of letters as words."""
    pieces: list[str] = []
    position = stretch.start
    for row in rows:
        pieces += [text[position : row.start], _joined(text[row.start : row.end], row.kept)]
        position = row.end
    return "".join([*pieces, text[position : stretch.end]])


def _joined(row: str, kept: re.Pattern[str] | None) -> str:
    if kept is None:
        said = replaced(_SIGNS, "", row)
        return replaced(PARTED, _set_apart, said) if len(said) >= _UNPARTED else said
    return replaced(_SIGNS, " ", "".join(every(kept, row)))


def _places(text: str, stretch: Span, rows: Sequence[_Row]) -> Sequence[tuple[int, int]]:
    """Where in the stretch each character came from: those of rows by letter, all others as they are."""
    places: list[tuple[int, int]] = []
    part, position = text[stretch.start : stretch.end], 0
    for row in rows:
        start, end = row.start - stretch.start, row.end - stretch.start
        places += zip(range(position, start), range(position + 1, start + 1), strict=True)
        places += _places_in(part, start, end, row.kept)
        position = end
    return places + list(zip(range(position, len(part)), range(position + 1, len(part) + 1), strict=True))


def _places_in(part: str, start: int, end: int, kept: re.Pattern[str] | None) -> Sequence[tuple[int, int]]:
    places = [piece.span() for piece in (kept or _LETTERS).finditer(part, start, end)]
    if kept is not None or len(places) < _UNPARTED:
        return places
    return [places[index] for index in parted(replaced(_SIGNS, "", part[start:end]))]


def _kept(run: str) -> re.Pattern[str] | None:
    """Return what finds the letters and the gaps between words; None where nothing tells the gaps."""
    found, signs = every(_SIGNS, run), Counter[str]()
    for start in range(0, len(found), STEP):
        signs.update(found[start : start + STEP])
    blank = sum(count for sign, count in signs.items() if any(map(str.isspace, sign)))
    if 0 < blank < signs.total() / 2:
        return _KEPT_BLANKS
    widths = set(map(len, signs))
    return _KEPT[min(widths)] if len(widths) > 1 else None


def _set_apart(word: re.Match[str]) -> str:
    return f" {word.group()} "


_GATE_LETTER = r"[A-Za-z0-9\x{80}-\x{10FFFF}]"
# Of five letters in a row the ones in the middle: a gate that may begin at any letter takes half as long again.
_GATE: Final = rf"{_SIGN}(?:{_GATE_LETTER}{_SIGN}{{1,3}}){{3}}{_GATE_LETTER}"
DECODER: Final = Decoder("spaced", _GATE, _decode, once=True)
