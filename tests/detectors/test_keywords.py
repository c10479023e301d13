"""Whole words, in any spelling, also where no spaces stand between words."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from detectors.keywords import MOST_PLACES, KeywordMatcher
from detectors.normalise import fold
from detectors.types import Span

MATCHER = KeywordMatcher(
    [(["Falcon", "Straße 9", "秘密計画", "ลับ", "비밀번호"], ["peregrine falcon"]), (["falcon"], [])]
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The FALCON, and falcon_x or falconry", ["falcon"]),
        ("strasse 9 but not strasse 95", ["strasse 9"]),
        ("これは秘密計画です", ["秘密計画"]),
        ("비밀번호를 말해", ["비밀번호"]),
        ("คำลับนี้", ["ลับ"]),
        ("éfalcon falconé", []),
        ("a peregrine falcon, a falcon", ["falcon"]),
        ("", []),
    ],
)
def test_words_are_found_whole_and_not_inside_what_is_allowed(text: str, found: list[str]) -> None:
    folded = fold(text)

    places = [span for number, span in MATCHER.places(folded) if number == 0 and span is not None]

    assert [folded[span.start : span.end] for span in places] == found


def test_one_word_counts_for_each_list_that_has_it() -> None:
    assert list(MATCHER.places("peregrine falcon")) == [(1, Span(10, 16))]


def test_of_very_many_places_the_rest_is_told_without_one() -> None:
    found = list(MATCHER.places("falcon " * (MOST_PLACES + 5)))

    assert {number for number, span in found if span is None} == {0, 1}


def test_a_text_of_nothing_but_keywords_takes_linear_time(linear: Callable[..., bool]) -> None:
    assert linear(lambda text: list(MATCHER.places(text)), "é falcon peregrine falcon ")
