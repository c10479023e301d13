"""The vocabulary of the transformer's base, in which places that nothing uses are given to letters that it lacks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import islice
from typing import Final

import orjson

# Kept for who wrote a text: detectors.models.tokens.ORIGINS.
_KEPT: Final = frozenset({"[unused0]", "[unused1]"})


def widened(definition: bytes, texts: Iterable[str]) -> tuple[bytes, list[int]]:
    """Return the tokenizer's definition with the Chinese characters that occur most in `texts` and that it lacked, and
    the numbers that these took over. The base reads every such character as a word, and a third of them as unknown.
    """
    tokenizer = orjson.loads(definition)
    words = tokenizer["model"]["vocab"]
    unused = sorted(number for word, number in words.items() if word.startswith("[unused") and word not in _KEPT)
    named = {number: word for word, number in words.items()}
    letters = Counter(letter for text in texts for letter in text if _alone(letter))
    lacking = (letter for letter, _ in letters.most_common() if letter not in words)
    taken = []
    for number, letter in zip(unused, islice(lacking, len(unused)), strict=False):
        del words[named[number]]
        words[letter] = number
        taken.append(number)
    tokenizer["truncation"] = tokenizer["padding"] = None
    tokenizer["model"]["vocab"] = dict(sorted(words.items(), key=lambda item: item[1]))
    return orjson.dumps(tokenizer), taken


def _alone(letter: str) -> bool:
    """Tell whether the base takes a letter for a word: those of Chinese, which Japanese uses, too."""
    return "\u4e00" <= letter <= "\u9fff"
