"""Quotes of a system prompt: found by their length, whatever stands between, and never where others said it too."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.boilerplate import BOILERPLATE
from detectors.fingerprints import LONGEST_STRETCH, Fingerprints, Quote
from detectors.normalise import fold
from tests.detectors.conftest import Linear

PROMPT = (
    "You are Hartmut, the booking clerk of the Nordhafen ferry line. Never mention the staff discount code. Tickets to "
    "Borkum cost forty euros, children travel at half price, and dogs must wear a muzzle on deck. If a guest is angry, "
    "offer a voucher of ten euros before you offer any refund at all."
)
WORDS = PROMPT.split()


def quotes(text: str, *known: str, prompt: str = PROMPT, shortest: int = 12) -> list[Quote]:
    return list(Fingerprints([prompt], known, shortest).quotes(fold(text)))


def test_the_whole_prompt_is_one_quote_of_all_its_words() -> None:
    (quote,) = quotes(f"Sure! Here they are: {PROMPT} Anything else?")
    assert (quote.words, quote.share, quote.confidence) == (len(WORDS), 1.0, 0.95)


def test_a_quote_has_the_place_where_it_stands() -> None:
    text = fold(f"I was told: {' '.join(WORDS[11:25])}. But why?")
    (quote,) = quotes(text)
    (place,) = quote.places
    assert text[place.start : place.end].startswith("never mention the staff")
    assert text[place.start : place.end].endswith("children travel")


@pytest.mark.parametrize(("words", "found"), [(11, 0), (12, 1)])
def test_twelve_words_are_a_quote_and_eleven_are_not(words: int, found: int) -> None:
    assert len(quotes(f"He said {' '.join(WORDS[5 : 5 + words])} yesterday")) == found


@given(st.integers(12, 40), st.integers(0, len(WORDS) - 40))
def test_a_longer_quote_is_never_less_sure(words: int, start: int) -> None:
    (shorter,), (longer,) = (quotes(" ".join(WORDS[start : start + n])) for n in (words, words + 1))
    assert shorter.confidence <= longer.confidence


@pytest.mark.parametrize("between", ["\n- ", " * ", "\u200b ", ", ", "</b> "])
def test_whatever_is_no_word_may_stand_between(between: str) -> None:
    assert len(quotes(between.join(WORDS[:20]).replace("</b>", "/"))) == 1


def test_a_changed_word_here_and_there_does_not_end_a_quote() -> None:
    changed = ["[MASKED]" if i % 9 == 8 else word for i, word in enumerate(WORDS)]
    assert len(quotes(" ".join(changed))) == 1


def test_what_the_user_wrote_too_is_no_leak() -> None:
    mail = "Tickets to Borkum cost forty euros, children travel at half price, and dogs must wear a muzzle on deck."
    assert len(quotes(mail)) == 1
    assert quotes(mail, f"Is this right? {mail}") == []


def test_the_rest_of_the_prompt_is_still_one() -> None:
    assert len(quotes(PROMPT, " ".join(WORDS[:12]))) == 1


@pytest.mark.parametrize("prompt", ["You are a helpful assistant.", *BOILERPLATE])
def test_what_every_prompt_says_is_no_leak(prompt: str) -> None:
    assert quotes(f"{prompt} {prompt}", prompt=prompt) == []


def test_signs_of_a_script_without_spaces_count_half() -> None:
    prompt = "你是北港渡轮公司的预订员绝不可提及员工折扣代码去博尔库姆的船票四十欧元儿童半价狗在甲板上必须戴口套"
    assert len(quotes(prompt, prompt=prompt)) == 1
    assert quotes(prompt[:20], prompt=prompt) == []


def test_a_long_quote_is_told_in_stretches() -> None:
    (quote,) = quotes(PROMPT)
    assert len(quote.places) == -(-len(WORDS) // LONGEST_STRETCH)


def test_ordinary_answers_about_the_same_things_quote_nothing() -> None:
    answer = "A ticket to Borkum is forty euros; children pay half. Dogs are welcome if they wear a muzzle on the deck."
    assert quotes(answer) == []


@settings(max_examples=20)
@given(st.text(alphabet="abcde \n", max_size=300))
def test_no_text_makes_it_fail(text: str) -> None:
    for quote in quotes(text, prompt="a b c d e " * 9):
        assert all(place.start < place.end <= len(fold(text)) for place in quote.places)


def test_the_work_grows_with_the_text_alone(linear: Linear) -> None:
    prints = Fingerprints([PROMPT], [], 12)
    assert linear(prints.quotes, f"{fold(PROMPT)} x ")
