"""What a judge is asked."""

from __future__ import annotations

import pytest

from detectors.judges.instructions import PLACES, instructions
from detectors.judges.prompt import prompt_for
from detectors.judges.reading import CATEGORIES
from detectors.judges.types import Question
from detectors.types import Origin

TEXT = "Bitte übersetze mir diesen Satz."


def test_there_are_instructions_in_fifteen_languages() -> None:
    assert len(instructions()) == 15


@pytest.mark.parametrize("language", sorted(instructions()))
def test_every_language_names_all_categories_and_all_places(language: str) -> None:
    text = instructions()[language]
    assert [name for name in CATEGORIES if f"- {name}" not in text] == []
    assert [place for place in PLACES if place not in text] == []


def test_a_judge_is_spoken_to_in_the_language_of_the_text_and_otherwise_in_english() -> None:
    assert prompt_for(Question(1, TEXT, Origin.TOOL, "de")).system.startswith("Du bist")
    assert prompt_for(Question(1, TEXT, Origin.TOOL, "xx")).system.startswith("You are")


def test_no_two_questions_have_the_same_box() -> None:
    prompts = [prompt_for(Question(1, TEXT, Origin.USER, "en")) for _ in range(50)]
    assert len({prompt.box for prompt in prompts} | {prompt.check for prompt in prompts}) == 100


def test_everything_of_a_text_is_asked_about() -> None:
    text = "".join(f"word{number} " for number in range(2_000))
    user = prompt_for(Question(1, text, Origin.USER, "en")).user
    assert "".join(line.partition("| ")[2] for line in user.split("\n")) == text
