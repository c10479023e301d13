"""A text as hashed n-grams of words and bytes, by a fixed number of numpy passes however many texts there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.frozen import statically_frozen

Indices = NDArray[np.int64]

BITS: Final = 17
BUCKETS: Final = 1 << BITS
STEP: Final = 256  # bytes between the beginnings of two windows; a window is two steps long
SHORT: Final = 640  # bytes of a text that is one window
BYTE_GRAMS: Final = (4, 6)  # six bytes are two characters of most scripts that do not put spaces between words

# Around each text, so that no n-gram reaches from one into the next; control characters are never in a folded text.
_BEFORE, _AFTER = b" \x02 \x02     ", b"       \x01 "
MARGIN: Final = len(_BEFORE)
_READ: Final = b"\0" * 8  # eight bytes are read at every place, also at the last one

_WORD: Final = np.zeros(256, dtype=np.bool_)
_WORD[[1, 2, 39, 95, *range(48, 58), *range(97, 123), *range(128, 256)]] = True
# Which bytes of the eight at a word's beginning belong to it, by the word's length.
_FIRST: Final = np.array([(1 << 8 * size) - 1 for size in range(9)], dtype=np.uint64)
_DROP: Final = np.uint64(64 - BITS)
# Odd multipliers (Fibonacci hashing: the highest bits of a product depend on all bits of a factor).
_K1, _K2, _K3 = np.uint64(0x6A09E667F3BCC909), np.uint64(0xBB67AE8584CAA73B), np.uint64(0x3C6EF372FE94F82B)
_K4, _K5 = np.uint64(0xA54FF53A5F1D36F1), np.uint64(0x510E527FADE682D1)


_SPANS: Final = tuple((np.uint64(64 - 8 * n), k) for n, k in zip(BYTE_GRAMS, (_K1, _K2), strict=True))


@statically_frozen
@dataclass(frozen=True, slots=True)
class Grams:
    """Buckets of the n-grams of some texts. `words` holds, for each order (1, 2, 3), the bucket of each n-gram, which
    begins with the word from `starts` to `ends`; `spans` the bucket of each byte's n-gram, for each of BYTE_GRAMS.
    `bounds` are the places of the texts in the bytes, margins included.
    """

    words: tuple[Indices, ...]
    starts: Indices
    ends: Indices
    spans: tuple[Indices, ...]
    bounds: Sequence[int]


def grams(texts: Sequence[str]) -> Grams:
    """Return the n-grams of folded texts. Work and memory are linear in their size."""
    parts = [text.encode("utf-8", "replace") for text in texts]
    bounds = [0]
    for part in parts:
        bounds.append(bounds[-1] + len(part) + 2 * MARGIN)
    # Behind the last text stands what would stand before another one, so that its n-grams are always the same.
    raw = b"".join([*[piece for part in parts for piece in (_BEFORE, part, _AFTER)], _BEFORE])
    size = bounds[-1]
    # One little-endian number of eight bytes at every place, without copying.
    eight = np.ndarray((size + MARGIN,), "<u8", raw + _READ, 0, (1,))
    spans = tuple(_span(eight[:size], shift, multiplier) for shift, multiplier in _SPANS)
    inside = _WORD.take(np.frombuffer(raw, np.uint8))
    edges = (inside[1:] != inside[:-1]).nonzero()[0]
    edges += 1
    starts, ends = edges[0::2], edges[1::2]
    return Grams(_words(eight, starts, ends), starts[:-2], ends[:-2], spans, bounds)


def _span(eight: NDArray[np.uint64], shift: np.uint64, multiplier: np.uint64) -> Indices:
    span = eight << shift
    span *= multiplier
    span >>= _DROP
    return span.view(np.int64)


def _words(eight: NDArray[np.uint64], starts: Indices, ends: Indices) -> tuple[Indices, ...]:
    """Return the buckets of words, pairs and triples, as many of each: the last two words only end others' n-grams.

    A word is its first eight bytes and its length.
    """
    length = ends - starts
    word = eight.take(starts)
    word &= _FIRST.take(length, mode="clip")
    word *= _K3
    length *= _K5.view(np.int64)
    word += length.view(np.uint64)
    pair = word[:-1] * _K4
    pair += word[1:]
    triple = pair[:-1] * _K5
    triple += word[2:]
    return tuple((ngram >> _DROP).view(np.int64) for ngram in (word[:-2], pair[:-1], triple))
