"""A linear model over hashed n-grams: what it says of texts, window by window, with weights that know the origin."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.frozen import statically_frozen
from detectors.models.features import MARGIN, SHORT, STEP, Grams, grams

Floats = NDArray[np.float32]
LUCK: Final = 0.5  # log odds by which a text's windows score less for each natural logarithm of their number


@statically_frozen
@dataclass(frozen=True, slots=True)
class Window:
    """A part of a text by its place in the text's UTF-8 bytes, and the score of that part."""

    start: int
    end: int
    score: float


@statically_frozen
@dataclass(frozen=True, slots=True)
class Blocks:
    """How texts are cut: `edges` are the places of all blocks in the bytes, ascending, with the end as the last;
    `first` the number of each text's first block, with the number of blocks as the last. A window is two neighbouring
    blocks of one text, or the only one.
    """

    edges: list[int]
    first: list[int]


def blocks(bounds: Sequence[int]) -> Blocks:
    edges: list[int] = []
    first = [0]
    for start, end in pairwise(bounds):
        if end - start <= SHORT:
            edges.append(start)
        else:  # the last block takes what is left, half a step to one and a half
            edges += range(start, end - STEP // 2, STEP)
        first.append(len(edges))
    edges.append(bounds[-1])
    return Blocks(edges, first)


@dataclass(frozen=True, slots=True, eq=False)
class LinearModel:
    """Weights of one origin: `words` and `spans` have one weight a bucket. Scores are log odds, uncalibrated."""

    words: Floats
    spans: Floats
    bias: float
    damping: float

    def windows(self, texts: Sequence[str]) -> list[list[Window]]:
        """Return, for each folded text, its windows from the beginning to the end."""
        return self.windows_in(grams(texts))

    def windows_in(self, found: Grams) -> list[list[Window]]:
        """Return the same of texts whose n-grams are known."""
        cut = blocks(found.bounds)
        sums, counts = self._sums(found, cut.edges)
        result = []
        for number, (low, high) in enumerate(zip(cut.first[:-1], cut.first[1:], strict=True)):
            offset = found.bounds[number] + MARGIN
            size = found.bounds[number + 1] - offset - MARGIN
            # Of many windows of a benign text one looks suspicious by chance.
            handicap = self.bias - LUCK * math.log(max(high - low - 1, 1))
            windows = []
            for block in range(low, max(high - 1, low + 1)):
                until = min(block + 2, high)
                total, count = sum(sums[block:until]), sum(counts[block:until])
                score = handicap + total / (count + self.damping) ** 0.5
                start, end = max(cut.edges[block] - offset, 0), min(cut.edges[until] - offset, size)
                windows.append(Window(start, end, score))
            result.append(windows)
        return result

    def strongest(self, window: str, most: int) -> list[tuple[int, int]]:
        """Return the places (in its bytes) of the words of a window that add most to its score, in order."""
        found = grams([window])
        weights = self.words.take(found.words[0])
        for order, ngram in enumerate(found.words[1:], start=1):
            shared = self.words.take(ngram) / (order + 1)
            for place in range(order + 1):  # each word of an n-gram has its share of what the n-gram says
                weights[place:] += shared[: shared.size - place]
        size = found.bounds[1] - 2 * MARGIN
        chosen = sorted(int(number) for number in weights.argsort()[::-1][:most] if weights[number] > 0)
        places = [(int(found.starts[number]) - MARGIN, int(found.ends[number]) - MARGIN) for number in chosen]
        return [(start, end) for start, end in places if 0 <= start < end <= size]

    def _sums(self, found: Grams, edges: list[int]) -> tuple[list[float], list[int]]:
        """Return, for each block, the sum of its n-grams' weights and how many they are."""
        per_byte = self.spans.take(found.spans[0])
        for span in found.spans[1:]:
            per_byte += self.spans.take(span)
        per_word = self.words.take(found.words[0])
        for ngram in found.words[1:]:
            per_word += self.words.take(ngram)
        if len(edges) == 2:  # most texts are one block
            one = float(np.add.reduce(per_byte) + np.add.reduce(per_word))
            return [one], [per_byte.size * len(found.spans) + per_word.size * len(found.words)]
        places = np.array(edges)
        at = found.starts.searchsorted(places)
        along = np.zeros(per_word.size + 1)
        np.cumsum(per_word, out=along[1:])
        sums = np.add.reduceat(per_byte, places[:-1], dtype=np.float64) + np.diff(along[at])
        counts = np.diff(places) * len(found.spans) + np.diff(at) * len(found.words)
        result: list[float] = sums.tolist()
        return result, counts.tolist()
