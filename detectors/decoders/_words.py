"""The words that attacks need: what a disguised text is probed for, and where words without blanks are parted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from detectors.decoders._alternatives import longest_of
from detectors.decoding import Aligned, Run
from detectors.types import Span

_WORD = re.compile("[a-z]+")
# Hardly an attack is written without one of these. Kept few: 1800 enciphered words take Hyperscan half a minute to
# compile, these 24 times over a third of a second.
HINTS = tuple(
    _WORD.findall("ignore previous instruction system prompt reveal forget secret password answer everything disregard")
)
# Long enough that no letter shift of one is a word of common speech twice in one text.
TELLING = tuple(
    _WORD.findall(
        """ignore disregard forget override overrule bypass pretend reveal repeat print output instruction instructions
        previous prior above earlier preceding initial original system developer hidden secret secrets prompt prompts
        rules guidelines restrictions directives commands message messages conversation context password passwords
        credentials everything anything nothing unrestricted filter filters safety policy policies jailbreak verbatim
        administrator final illegal unlimited allowed model developers disable enable previously answer respond without
        every your what that this with from have never must will them which about write"""
    )
)
_JOINING = tuple(
    _WORD.findall(
        """all any the you are now and of or told given into not do no me my us it its in to is a for as at on say show
        tell begin start end new mode data send email user users text word words exactly key keys token api act like how
        who was were before those these their our then there here only just"""
    )
)
KNOWN = frozenset({*HINTS, *TELLING, *_JOINING})
_PLAIN = "abcdefghijklmnopqrstuvwxyz"
PARTED = re.compile(longest_of(KNOWN))


def parted(text: str) -> Sequence[int]:
    """Return the place of each character once there is a blank around each word of `PARTED`."""
    places: list[int] = []
    end = 0
    for word in PARTED.finditer(text):
        places += range(end, word.start())
        places += [word.start(), *range(*word.span()), word.end() - 1]
        end = word.end()
    return [*places, *range(end, len(text))]


class Substitutions:
    """Ciphers that put a letter for a letter, known by the telling words as they look enciphered.

    Literal words cost the gates' one pass 6 us for 8 KB of prose, which passes no further. A test of how natural a text
    reads (its pairs of letters, its commonest words) would be Python's to do, and for every text.
    """

    def __init__(self, alphabets: Sequence[str]) -> None:
        write = [str.maketrans(_PLAIN, alphabet) for alphabet in alphabets]
        self.gate = f"(?i)(?:{'|'.join(sorted({word.translate(table) for word in HINTS for table in write}))})"
        self._read = [str.maketrans(a + a.upper(), _PLAIN + _PLAIN.upper()) for a in alphabets]
        self._hints: dict[str, list[int]] = {}
        for index, table in enumerate(write):
            for word in TELLING:
                self._hints.setdefault(word.translate(table), []).append(index)

    def decode(self, text: str) -> Iterator[Run]:
        """Yield the text by each alphabet that two telling words agree on; one alone may be a word of its own."""
        for index in self._agreed(text):
            yield Run(Span(0, len(text)), text.translate(self._read[index]), Aligned())

    def _agreed(self, text: str) -> Sequence[int]:
        votes: dict[int, int] = {}
        for word in self._hints.keys() & set(_WORD.findall(text.lower())):
            for index in self._hints[word]:
                votes[index] = votes.get(index, 0) + 1
        return sorted(index for index, count in votes.items() if count >= 2)


def alphabets(shifts: Sequence[int]) -> Sequence[str]:
    """Return what `a` to `z` look like, moved on by each of the shifts."""
    return [_PLAIN[shift:] + _PLAIN[:shift] for shift in shifts]
