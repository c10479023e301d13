"""Hashed n-grams: the same for the same text, whatever stands beside it."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from detectors.models.features import BUCKETS, MARGIN, grams


@given(st.text(max_size=80), st.text(max_size=80))
def test_a_text_has_the_same_n_grams_alone_and_beside_another(text: str, other: str) -> None:
    alone, both = grams([text]), grams([other, text])
    for one, two in zip(alone.spans, both.spans, strict=True):
        assert np.array_equal(one, two[both.bounds[1] :])
    first = int(np.searchsorted(both.starts, both.bounds[1]))
    for one, two in zip(alone.words, both.words, strict=True):
        assert np.array_equal(one, two[first:])


def test_words_are_found_with_their_places() -> None:
    found = grams(["stop, it's me"])
    places = [(a - MARGIN, b - MARGIN) for a, b in zip(found.starts.tolist(), found.ends.tolist(), strict=True)]
    assert [("stop, it's me")[a:b] for a, b in places[2:-1]] == ["stop", "it's", "me"]


def test_every_bucket_is_within_the_table() -> None:
    found = grams(["é日本 \ud800 " * 50, ""])
    assert all(part.min() >= 0 and part.max() < BUCKETS for part in (*found.words, *found.spans))


def test_long_words_of_other_lengths_differ() -> None:
    short, long = (grams([text]).words[0][2] for text in ("instruction", "instructions"))
    assert short != long
