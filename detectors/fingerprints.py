"""Fingerprints of a system prompt: which runs of words in another text it holds, without keeping the prompt's words."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from detectors.boilerplate import BOILERPLATE
from detectors.frozen import statically_frozen
from detectors.normalise import fold
from detectors.types import Span
from detectors.word_grams import all_grams, beginning_of, grams_of, weight_of, word_pattern, words_of

GRAM: Final = 5  # words under one hash: fewer are anybody's phrase
GAP: Final = GRAM + 1  # hashes that one or two changed words spoil: a run goes on behind them
MOST_PROMPT: Final = 1 << 17  # characters of a prompt; what is longer is known by its beginning
MOST_KNOWN: Final = 1 << 18  # characters of what others wrote; beyond, a quote may be taken for a leak
LONGEST_STRETCH: Final = 24  # words of one place: a stream cannot wait for the end of what goes on and on
_SAYS_MUCH: Final = 16  # words from which on it counts how much of the prompt they are


@statically_frozen
@dataclass(frozen=True, slots=True)
class Quote:
    """A run of words that the prompt also has, cut into places of at most `LONGEST_STRETCH` words; `share` is how much
    of the prompt it is, 0-1.
    """

    places: tuple[Span, ...]
    words: float
    share: float

    @property
    def confidence(self) -> float:
        """0.5 for twelve words, more for each other one: what is half of a prompt is hardly a coincidence."""
        by_length = min(0.95, max(0.4, 0.5 + 0.02 * (self.words - 12)))
        if self.words < _SAYS_MUCH or self.share < 0.5:
            return round(by_length, 2)
        return round(max(by_length, 0.9 if self.share >= 0.8 else 0.8), 2)


class Fingerprints:
    """The hashed runs of words of one exchange's system prompt, but for those of `known` texts (the newest first):
    whoever wrote or read these learns nothing new. Keyed afresh for each exchange, hashed when they are first asked
    for, and kept nowhere.

    Every run is hashed, not a selection of them as in winnowing: the length of a quote is then exact to the word, and
    an exchange needs them for seconds only.
    """

    def __init__(self, prompt: Sequence[str], known: Sequence[str], shortest: int) -> None:
        self._prompt, self._shortest = beginning_of(prompt, MOST_PROMPT), shortest
        self._known = beginning_of(known, MOST_KNOWN)

    @cached_property
    def _key(self) -> int:
        return secrets.randbits(63)

    def quotes(self, folded: str) -> Sequence[Quote]:
        """Return the runs of at least the shortest number of words that a folded text has of the prompt, in order."""
        if not self._all:
            return ()
        words = words_of(folded)
        if self._all.isdisjoint(grams_of(words, GRAM, self._key)):
            return ()  # nearly every text
        grams = list(grams_of(words, GRAM, self._key))
        if not any(weight_of(words[a:b]) >= self._shortest for a, b in _runs(grams, self._all)):
            return ()  # what others wrote need not be hashed at all
        if len(self._own) < self._shortest - GRAM + 1:
            return ()
        found = [run for run in _runs(grams, self._own) if weight_of(words[run[0] : run[1]]) >= self._shortest]
        if not found:
            return ()
        at = [Span(*match.span()) for match in word_pattern(folded).finditer(folded)]
        return [self._quote(words[a:b], at[a:b]) for a, b in found]

    def begun(self, folded: str) -> int | None:
        """Return where a run of the prompt's words begins that goes on to the end of a folded text, or may."""
        words = words_of(folded) if self._all else []
        if self._all.isdisjoint(grams_of(words, GRAM, self._key)):
            return None  # nearly every text
        runs = [*_runs(list(grams_of(words, GRAM, self._key)), self._own)]
        if not runs or len(words) - runs[-1][1] >= GAP:
            return None
        return [match.start() for match in word_pattern(folded).finditer(folded)][runs[-1][0]]

    def _quote(self, words: Sequence[str], at: Sequence[Span]) -> Quote:
        said = set(grams_of(words, GRAM, self._key)) & self._own
        starts = range(0, len(at), LONGEST_STRETCH)
        places = tuple(Span(at[i].start, at[min(i + LONGEST_STRETCH, len(at)) - 1].end) for i in starts)
        return Quote(places, weight_of(words), len(said) / len(self._own))

    @cached_property
    def _all(self) -> frozenset[int]:
        words = [words_of(fold(text)) for text in self._prompt]
        if sum(map(len, words)) < self._shortest:
            return frozenset()
        return frozenset(gram for part in words for gram in grams_of(part, GRAM, self._key))

    @cached_property
    def _own(self) -> frozenset[int]:
        others = (fold(text) for text in (*BOILERPLATE, *self._known))
        return self._all - all_grams(others, GRAM, self._key)


def _runs(grams: Sequence[int], marks: frozenset[int]) -> Iterator[tuple[int, int]]:
    """Yield the runs of words (first, and behind the last) whose hashes are marked, over gaps of a changed word."""
    first = last = -1
    for index in [i for i, gram in enumerate(grams) if gram in marks]:
        if first >= 0 and index - last > GAP:
            yield first, last + GRAM
            first = index
        elif first < 0:
            first = index
        last = index
    if first >= 0:
        yield first, last + GRAM
