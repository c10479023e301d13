"""Patterns over many words and many marks, written so that Python's `re` reads them fast."""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet

from detectors.decoding import REACH

_IN_ONE_GO = 500  # marks: while Python is at one match, no other thread has its turn
_TOKEN = re.compile(r"\\.|\[\^?\]?(?:[^\]\\]|\\.)*\]|\(\?|\(", re.DOTALL)  # an escape, a class, how a group begins
_SAME_LETTER = {"i": "\u0130\u0131", "k": "\u212a", "s": "\u017f"}  # what `(?i)` takes for these, too


def longest_of(words: AbstractSet[str]) -> str:
    """Return a pattern for the longest of `words` (small letters and digits) at a place, in any case.

    Letter by letter, because Python tries the words of a plain alternation one after the other: 8 KB without a blank
    took 14 ms.
    """
    ways = []
    for first in sorted({word[0] for word in words if word}):
        below = longest_of({word[1:] for word in words if word.startswith(first)})
        ways.append(f"[{first}{first.upper()}{_SAME_LETTER.get(first, '')}]{below}")
    pattern = f"(?:{'|'.join(ways)})" if ways else ""
    return f"{pattern}?" if ways and "" in words else pattern


def clusters_of(mark: str, begins: str) -> re.Pattern[str]:
    """Return a pattern for marks so near to each other that one stretch holds them: one match, where Python would take
    up thousands of them one by one. `begins` is a character class of all that a mark begins with.
    """
    mark = _without_groups(mark)
    between = rf"(?:[^{begins}]{{1,{REACH}}}+|(?!{mark})[{begins}]){{0,2}}+"
    return re.compile(rf"(?:{mark})(?:{between}(?:{mark})){{0,{_IN_ONE_GO}}}+")


def _without_groups(pattern: str) -> str:
    """Return a pattern with nothing captured: Python 3.11 loses the places of groups that are repeated possessively."""
    return _TOKEN.sub(lambda token: "(?:" if token.group() == "(" else token.group(), pattern)
