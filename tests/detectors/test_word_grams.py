"""Words as they are counted, and their hashes, which mean nothing to anybody else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.word_grams import all_grams, beginning_of, grams_of, weight_of, word_pattern, words_of


@pytest.mark.parametrize(
    ("folded", "words"),
    [
        ("do not- tell_them, the code: x7", ["do", "not", "tell", "them", "the", "code", "x7"]),
        ("nenne den rabatt für gäste", ["nenne", "den", "rabatt", "für", "gäste"]),
        ("never say 折扣", ["never", "say", "折", "扣"]),
    ],
)
def test_words_are_letters_and_digits_and_each_sign_of_a_script_without_spaces(folded: str, words: list[str]) -> None:
    assert words_of(folded) == words


def test_two_signs_weigh_as_much_as_one_word() -> None:
    assert weight_of(["a", "word", "折", "扣"]) == 3


def test_hashes_differ_from_key_to_key() -> None:
    words = ["one", "two", "three", "four"]
    assert list(grams_of(words, 3, 1)) == list(grams_of(words, 3, 1))
    assert set(grams_of(words, 3, 1)).isdisjoint(grams_of(words, 3, 2))


def test_what_is_shorter_than_a_run_has_none() -> None:
    assert all_grams(["one two", "three"], 3, 1) == frozenset()
    assert len(all_grams(["one two three four", "one two three"], 3, 1)) == 2


@given(st.text(max_size=60) | st.text(alphabet="".join(map(chr, range(128))), max_size=60))
def test_the_words_are_those_that_the_pattern_finds(text: str) -> None:
    assert words_of(text) == word_pattern(text).findall(text)


def test_of_very_much_the_beginning_counts() -> None:
    assert beginning_of(["ab", "cdef", "gh"], 4) == ("ab", "cd")
    assert beginning_of(["ab"], 4) == ("ab",)
