"""OpenAI transcriptions: a transcript is read once, and what repeats it goes when it is edited."""

from __future__ import annotations

from typing import Any

import pytest

from detectors.types import Direction, Origin
from proxy.bodies.json_document import parse
from proxy.bodies.walk import Walk
from proxy.providers.openai_transcriptions import CODEC

WORDS = [{"word": "It's", "start": 0.0, "end": 0.5}, {"word": "anna@example.org", "start": 0.5, "end": 1.25}]


def answered(**fields: Any) -> Walk:
    return CODEC.segments({"text": "It's anna@example.org.", **fields}, Direction.RESPONSE)


def test_words_that_spell_the_text_are_not_read_again() -> None:
    walk = answered(words=WORDS)

    assert [(s.text, s.origin) for s in walk.segments] == [("It's anna@example.org.", Origin.ASSISTANT)]
    assert walk.skipped["words"] == 6


@pytest.mark.parametrize(
    "words",
    [
        [*WORDS, {"word": "more"}],
        WORDS[:1],
        [{**WORDS[0], "note": "x"}, WORDS[1]],
        [{**WORDS[0], "start": "x"}, WORDS[1]],
        [{**WORDS[0], "start": 4111111111111111}, WORDS[1]],
    ],
)
def test_words_that_say_anything_else_are_read(words: Any) -> None:
    assert {"It's"} <= {segment.text for segment in answered(words=words).segments}


def test_the_figures_of_a_segment_are_skipped_however_they_are_written() -> None:
    raw = b'{"text": "a", "segments": [{"id": 0, "start": 0.0, "avg_logprob": -0.28607869148254395, "text": "a"}]}'
    walk = CODEC.segments(parse(raw), Direction.RESPONSE)

    assert [s.pointer for s in walk.segments] == ["/text", "/segments/0/text"]


def test_an_edited_transcript_loses_what_repeats_it() -> None:
    answer = {"text": "[EMAIL]", "words": WORDS, "segments": [{"text": "anna@"}], "logprobs": [], "duration": 1.0}
    CODEC.without_copies(answer)

    assert answer == {"text": "[EMAIL]", "duration": 1.0}
