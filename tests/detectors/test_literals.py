"""Every place of every literal in one pass, the same with and without the engine."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from detectors.literals import LiteralMatcher
from detectors.types import Span

WORDS = ["ab", "abab", "é", "b", "日本"]
MATCHER = LiteralMatcher(WORDS)


@given(st.lists(st.sampled_from([*WORDS, "a", " ", "\ud800"]), max_size=20).map("".join))
def test_all_places_are_told_also_where_they_overlap(text: str) -> None:
    naive = {
        (i, Span(at, at + len(word)))
        for i, word in enumerate(WORDS)
        for at in range(len(text))
        if text[at : at + len(word)] == word
    }

    assert set(MATCHER.places(text, 1000)) == naive


def test_beyond_the_bound_each_literal_is_told_once() -> None:
    assert list(MATCHER.places("ab ab ab", 3))[3:] == [(0, None), (3, None)]


def test_no_literals_are_nowhere() -> None:
    assert list(LiteralMatcher([]).places("ab", 10)) == []
