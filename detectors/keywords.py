"""Many words and phrases in one pass over folded text, whole words only."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from typing import Final

from detectors.literals import LiteralMatcher
from detectors.normalise import fold
from detectors.types import Span

KEYWORD: Final = "KEYWORD"  # the kind of what is found
MOST_PLACES: Final = 1000  # of one text; what is beyond is told without a place
# Scripts that put no space between words: there every character may begin or end one. Korean puts particles behind.
_UNSPACED: Final = ("CJK ", "HIRAGANA", "KATAKANA", "HANGUL", "THAI", "LAO ", "KHMER", "MYANMAR")


class KeywordMatcher:
    """Lists of words, each with phrases in which they do not count. Case, accents and spacing do not matter."""

    def __init__(self, lists: Sequence[tuple[Sequence[str], Sequence[str]]]) -> None:
        literals: dict[str, list[tuple[int, bool]]] = {}
        for number, (words, allowed) in enumerate(lists):
            for counts, group in ((True, words), (False, allowed)):
                for word in group:
                    literals.setdefault(fold(word).strip(), []).append((number, counts))
        literals.pop("", None)
        self._meanings = tuple(literals.values())
        self._matcher = LiteralMatcher(tuple(literals))

    def places(self, folded: str) -> Iterator[tuple[int, Span | None]]:
        """Yield the number of a list and where a word of it stands in folded text; None where there are too many."""
        found: list[tuple[int, Span]] = []
        allowed: list[tuple[int, Span]] = []
        for index, span in self._matcher.places(folded, MOST_PLACES):
            if span is None:
                yield from ((number, None) for number, counts in self._meanings[index] if counts)
            elif _is_whole(folded, span):
                for number, counts in self._meanings[index]:
                    (found if counts else allowed).append((number, span))
        for number, span in found:
            if not any(number == n and _holds(outer, span) for n, outer in allowed):
                yield number, span


def _holds(outer: Span, inner: Span) -> bool:
    return outer.start <= inner.start and inner.end <= outer.end


def _is_whole(text: str, span: Span) -> bool:
    """Tell whether a place begins and ends where words do."""
    before, after = text[span.start - 1 : span.start] if span.start else "", text[span.end : span.end + 1]
    return _parts(before, text[span.start]) and _parts(text[span.end - 1], after)


def _parts(left: str, right: str) -> bool:
    return not (left and right and _spells(left) and _spells(right))


def _spells(character: str) -> bool:
    """Tell whether a character is part of a word that goes on beside it."""
    if character.isascii():
        return character.isalnum() or character == "_"
    if not (character.isalnum() or unicodedata.category(character).startswith("M")):
        return False
    return not unicodedata.name(character, "").startswith(_UNSPACED)
