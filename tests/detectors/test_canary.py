"""The canary: a word for each tenant, known again however it is spelled, and taken back where it is only repeated."""

from __future__ import annotations

import re

import pytest

from detectors.canary import canary_of, canary_places, canary_sentence, without_sentence

CANARY = canary_of(b"k" * 32)


def test_it_is_the_same_for_a_tenant_and_another_for_each() -> None:
    words = {canary_of(bytes([n]) * 32) for n in range(200)}
    assert len(words) == 200
    assert all(re.fullmatch("[a-z]{16}", word) for word in words)
    assert canary_of(b"k" * 32) == CANARY


@pytest.mark.parametrize(
    "said",
    [CANARY, "-".join(CANARY), ", ".join(CANARY), CANARY[::-1], f"{CANARY[:5]}\n{CANARY[5:]}", f"«é{CANARY}»"],
)
def test_it_is_found_where_it_stands(said: str) -> None:
    text = f"1. {said} 2."
    (place,) = canary_places(CANARY, text)
    assert text[place.start : place.end].strip("«é»") == said.strip("«é»")


def test_it_is_found_as_often_as_it_is_said() -> None:
    assert len(list(canary_places(CANARY, f"{CANARY} and {CANARY}"))) == 2


@pytest.mark.parametrize("text", ["", CANARY[:-1], "The reference is secret.", canary_of(b"o" * 32)])
def test_nothing_else_is_one(text: str) -> None:
    assert list(canary_places(CANARY, text)) == []


@pytest.mark.parametrize("prompt", ["Be kind.", "Two\n\nparagraphs\n", ""])
def test_the_prompt_comes_back_as_its_author_wrote_it(prompt: str) -> None:
    sentence = canary_sentence(CANARY)
    assert without_sentence(f"{prompt}\n\n{sentence}" if prompt else sentence) == prompt
    assert without_sentence(prompt) == prompt
