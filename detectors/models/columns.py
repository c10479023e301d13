"""A text's n-grams as columns of the weights, window by window: what whoever fits weights learns from."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.models.features import BUCKETS, grams
from detectors.models.linear import blocks

COLUMNS: Final = 2 * BUCKETS  # words, then bytes
Columns = NDArray[np.int32]


def windows_of(text: str) -> list[Columns]:
    """Return the n-grams of each window of a folded text as columns of the weights."""
    found = grams([text])
    edges = blocks(found.bounds).edges
    at = found.starts.searchsorted(edges)
    last = len(edges) - 1
    windows = []
    for block in range(max(last - 1, 1)):
        until = min(block + 2, last)
        words = [ngram[at[block] : at[until]] for ngram in found.words]
        spans = [span[edges[block] : edges[until]] + BUCKETS for span in found.spans]
        windows.append(np.concatenate(words + spans).astype(np.int32))
    return windows
