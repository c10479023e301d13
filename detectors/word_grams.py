"""Runs of words as keyed hashes, so that two texts can be held against each other word by word."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import Final

# Scripts that put no spaces between words: each character counts as a word, and two of them as much as one.
_SPACELESS: Final = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff"
_PLAIN_WORD: Final = re.compile(r"[a-z0-9]+")
_NO_PLAIN_WORD: Final = {code: " " for code in range(128) if not _PLAIN_WORD.match(chr(code))}
_WORD: Final = re.compile(rf"[{_SPACELESS}]|[^\W_{_SPACELESS}]+")
_FIRST_SPACELESS: Final = _SPACELESS[0]


def word_pattern(folded: str) -> re.Pattern[str]:
    """Return what finds the words of a folded text: letters and digits, so that punctuation and markup are nothing."""
    return _PLAIN_WORD if folded.isascii() else _WORD


def words_of(folded: str) -> list[str]:
    """Return the words of a folded text, those that `word_pattern` finds."""
    if folded.isascii():
        return folded.translate(_NO_PLAIN_WORD).split()  # a quarter of what the pattern costs
    return _WORD.findall(folded)


def weight_of(words: Sequence[str]) -> float:
    """Return how many words these are worth."""
    halves = sum([len(word) == 1 and word >= _FIRST_SPACELESS for word in words])
    return len(words) - halves / 2


def grams_of(words: Sequence[str], size: int, key: int) -> Iterator[int]:
    """Yield the hash of every run of `size` words, in order. They mean nothing without the key, nor in another process:
    Python's own hashes of strings, which are keyed once for each process.
    """
    return map(hash, zip(repeat(key), *(words[start:] for start in range(size)), strict=False))


def beginning_of(texts: Iterable[str], most: int) -> tuple[str, ...]:
    """Return the first texts, `most` characters in all: hashing a megabyte holds up whoever waits for it."""
    kept, left = [], most
    for text in texts:
        if left <= 0:
            break
        kept.append(text[:left])
        left -= len(text)
    return tuple(kept)


def all_grams(folded_texts: Iterable[str], size: int, key: int) -> frozenset[int]:
    """Return the hashes of all runs of `size` words in any of the texts."""
    return frozenset(gram for text in folded_texts for gram in grams_of(words_of(text), size, key))
