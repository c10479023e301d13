"""What a transcript says: its text, and the same again in segments and word by word."""

from __future__ import annotations

import re
from typing import Final

from detectors.types import Origin
from proxy.bodies.json_document import NumberToken
from proxy.bodies.walk import Walk
from proxy.codec import JsonObject
from proxy.providers._openai_form import OpenAiForm
from proxy.providers._openai_media import walk_media
from proxy.providers._openai_media_answer import MediaAnswers

_COPIES: Final = ("words", "segments", "logprobs")
_FIGURES: Final = frozenset(
    {"id", "seek", "start", "end", "temperature", "avg_logprob", "compression_ratio", "no_speech_prob", "duration"}
)
_SMALL: Final = re.compile(r"-?[0-9]{1,6}(?:\.[0-9]{1,20})?(?:[eE][+-]?[0-9]{1,3})?")
# What a word is written without: a text less these is what its words spell.
_UNSPELT: Final = re.compile(r"[\s.,!?;:\"'…-]+")


class OpenAiTranscript(MediaAnswers, OpenAiForm):
    """An endpoint that turns a sound file into text. The answer is JSON, plain text or a stream."""

    def walk_answer(self, walk: Walk, body: JsonObject) -> None:
        for key, value in body.items():
            walk.child(key, None, Origin.ASSISTANT, "")
            if key == "words" and _spell(value, body.get("text")):
                walk.skip("words", sum(len(word) for word in value))  # dropped when the text is edited
            elif key in _COPIES and isinstance(value, list):
                for index, item in enumerate(value):
                    _walk_item(walk, item, f"/{key}/{index}")
            elif not (key in _FIGURES and _is_figure(value)):
                self.walk_field(walk, key, value)
            else:
                walk.skip("answer_facts")

    def without_copies(self, answer: JsonObject) -> None:
        """Drop what says the text again: an edit over the end of a segment cannot be repeated in two."""
        for key in _COPIES:
            answer.pop(key, None)


def _walk_item(walk: Walk, item: object, pointer: str) -> None:
    if not isinstance(item, dict):
        walk_media(walk, item, Origin.ASSISTANT, pointer)
        return
    for key, value in item.items():
        if key in _FIGURES and _is_figure(value):
            walk.skip("answer_facts", 2)
        else:
            walk.child(key, value, Origin.ASSISTANT, pointer)


def _is_figure(value: object) -> bool:
    if isinstance(value, NumberToken):
        return _SMALL.fullmatch(value.text) is not None
    return isinstance(value, int | float) and abs(value) < 1_000_000


def _spell(words: object, text: object) -> bool:
    """Tell whether a list of words with their times says what a text says and nothing else."""
    if not isinstance(words, list) or not isinstance(text, str) or not all(map(_is_timed_word, words)):
        return False
    return _UNSPELT.sub("", "".join(word["word"] for word in words)) == _UNSPELT.sub("", text)


def _is_timed_word(word: object) -> bool:
    return (
        isinstance(word, dict)
        and word.keys() <= {"word", "start", "end"}
        and isinstance(word.get("word"), str)
        and all(_is_figure(value) for key, value in word.items() if key != "word")
    )
