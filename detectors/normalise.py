"""Folding: the many spellings of one text brought to one. Per character, so that every offset can be mapped back.

A character folds by NFKD without combining diacritics, recomposed (so Hangul and kana stay whole), case folded; what is
invisible (Unicode Cc, Cf, variation selectors) folds to nothing and any run of white space to one space.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from functools import cached_property

from detectors.types import Offsets, Span

_DIACRITICS = ((0x0300, 0x036F), (0x1AB0, 0x1AFF), (0x1DC0, 0x1DFF), (0x20D0, 0x20FF))
_SELECTORS = ((0xFE00, 0xFE0F), (0xE0100, 0xE01EF), (0x180B, 0x180F))
_TABLE_BOUND = 1 << 16  # characters remembered; beyond it they are folded afresh, so no text can grow the table

# Letters of other scripts that look like a Latin one (Unicode TR39), after folding. A lookalike alone is no sign of an
# attack: the skeleton is an extra reading, never a replacement.
_LOOKALIKES = {
    ord(pair[0]): pair[1]
    for pair in (
        # Cyrillic
        "аa вb сc ԁd еe һh іi јj кk ӏl мm нh оo рp ԛq гr ѕs тt уy ѵv ԝw хx зz ьb "
        # Greek
        "αa βb ϲc δd εe ηn ιi κk νv οo ρp σo τt υu χx γy ϳj "
        # Armenian
        "ցg հh ոn օo զq սu "
        # Latin letters of other alphabets
        "ıi ɑa ɡg ʏy ɩi"
    ).split()
}


def _within(code: int, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(low <= code <= high for low, high in ranges)


def is_invisible(character: str) -> bool:
    """Tell whether a character shows nothing: format and control characters, variation selectors."""
    return unicodedata.category(character) in {"Cf", "Cc"} or _within(ord(character), _SELECTORS)


class _Table(dict[int, str]):
    """What each code point turns into; filled as characters are met, up to a bound."""

    def __init__(self, *, fold_case: bool) -> None:
        super().__init__()
        self._fold_case = fold_case

    def __missing__(self, code: int) -> str:
        value = self._turn(chr(code))
        if len(self) < _TABLE_BOUND:
            self[code] = value
        return value

    def _turn(self, character: str) -> str:
        if character.isspace():
            return " " if self._fold_case else character
        if is_invisible(character) or _within(ord(character), _DIACRITICS):
            return ""
        if character.isascii():
            return character.lower() if self._fold_case else character
        if not self._fold_case:
            return unicodedata.normalize("NFKC", character)
        kept = "".join(c for c in unicodedata.normalize("NFKD", character) if not _within(ord(c), _DIACRITICS))
        return unicodedata.normalize("NFC", kept).casefold()


_FOLD, _CLEAN = _Table(fold_case=True), _Table(fold_case=False)


def fold(text: str) -> str:
    """Return the folded reading: lower case, plain letters, single spaces, nothing invisible."""
    folded = text.translate(_FOLD)
    # Splitting costs fifteen times the translation, and ordinary text has no double spaces.
    return " ".join(folded.split()) if "  " in folded else folded.strip(" ")


def clean(text: str) -> str:
    """Return the reading with case and spacing kept but nothing invisible and no compatibility letters."""
    return text.translate(_CLEAN)


def skeleton(folded: str) -> str:
    """Return `folded` with lookalikes of Latin letters replaced, character by character (same length)."""
    return folded if folded.isascii() else folded.translate(_LOOKALIKES)


class FoldOffsets:
    """Maps a span of a folded or cleaned text to the text it came from, then on through `below`."""

    def __init__(self, source: str, *, collapse: bool, below: Offsets | None) -> None:
        self._source, self._collapse, self._below = source, collapse, below

    @cached_property
    def _starts(self) -> list[int]:
        """Source index of each character of the reading; worked out once, and only if something was found."""
        table, starts, space_before = (_FOLD if self._collapse else _CLEAN), [], True
        for index, character in enumerate(self._source):
            for made in table[ord(character)]:
                if not self._collapse or made != " ":
                    starts.append(index)
                    space_before = False
                elif not space_before:
                    starts.append(index)
                    space_before = True
        return starts

    def to_source(self, span: Span) -> Span:
        starts = self._starts
        start = starts[span.start]
        end = starts[span.end - 1] + 1
        inner = Span(start, end)
        return inner if self._below is None else self._below.to_source(inner)


class RunOffsets:
    """Maps a span of decoded text to the encoded runs it came from.

    `made[i]` is where run i begins in the decoded text; `runs[i]` is its span in the source. An aligned run was decoded
    character by character, so a span inside it maps exactly; any other maps to the whole run.
    """

    def __init__(self, made: list[int], runs: list[Span], aligned: list[bool], below: Offsets | None) -> None:
        self._made, self._runs, self._aligned, self._below = made, runs, aligned, below

    def to_source(self, span: Span) -> Span:
        first, last = self._run_at(span.start), self._run_at(max(span.start, span.end - 1))
        if first == last and self._aligned[first]:
            by = self._runs[first].start - self._made[first]
            inner = Span(span.start + by, span.end + by)
        else:
            inner = Span(self._runs[first].start, self._runs[last].end)
        return inner if self._below is None else self._below.to_source(inner)

    def _run_at(self, position: int) -> int:
        return max(0, bisect_right(self._made, position) - 1)
