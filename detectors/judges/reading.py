"""What of a judge's answer counts: one JSON object of exactly four keys, or nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Final

from detectors.judges.prompt import Prompt
from detectors.judges.types import Ruling
from detectors.types import ATTACK, Category

NONE: Final = "none"
CATEGORIES: Final = (NONE, *sorted(category.value for category in (*ATTACK, Category.HARMFUL_REQUEST)))
LONGEST_ANSWER: Final = 4_000  # characters
_LONGEST_REASON: Final = 1_000
_SHOWN: Final = 300
_ECHOED: Final = 40  # characters of the text that no reason in own words repeats
_KEYS: Final = frozenset({"check", "category", "confidence", "reason"})
# Models put JSON into a fence even where they are told not to; a fence around all of it changes nothing.
_FENCED: Final = re.compile(r"```(?:json)?[ \t]*\n(.*)\n```", re.DOTALL)


class UnreadableError(Exception):
    """An answer that says nothing we may believe."""


class EchoError(Exception):
    """An answer that repeats what it was shown: the text speaks, not the judge."""


def read_ruling(judge: str, answer: str, prompt: Prompt, text: str) -> Ruling:
    """Return what a judge says of `text`. Raises UnreadableError, EchoError.

    Nothing around the object, no key twice, no other key, no number in quotes; the word of this very question must be
    repeated, which no text could have known.
    """
    if prompt.box in answer:
        raise EchoError
    try:
        ruling = _read(judge, answer, prompt.check)
    except (ValueError, RecursionError):
        raise (EchoError if _repeats(answer, text) else UnreadableError) from None
    if _repeats(ruling.reason, text):
        raise EchoError
    return ruling


def _read(judge: str, answer: str, check: str) -> Ruling:
    if len(answer) > LONGEST_ANSWER:
        raise ValueError("too long")
    content = answer.strip()
    fenced = _FENCED.fullmatch(content)
    document = json.loads(
        fenced.group(1) if fenced else content, object_pairs_hook=_pairs, parse_constant=_refuse, parse_int=_number
    )
    if not isinstance(document, dict) or document.keys() != _KEYS or document["check"] != check:
        raise ValueError("other keys, or no answer to this question")
    category, confidence, reason = document["category"], document["confidence"], document["reason"]
    if category not in CATEGORIES or type(confidence) is not float or not isinstance(reason, str):
        raise ValueError("values of other kinds")
    if not 0 <= confidence <= 1 or len(reason) > _LONGEST_REASON:
        raise ValueError("values out of bounds")
    shown = "".join(letter if letter.isprintable() else " " for letter in reason)[:_SHOWN]
    return Ruling(judge, None if category == NONE else Category(category), confidence, shown)


def _pairs(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """One of two equal keys would win, and which one is not for the text to choose."""
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a key twice")
    return dict(pairs)


def _refuse(_constant: str) -> None:
    raise ValueError("no number")


def _number(digits: str) -> float:
    return float(digits) if len(digits) < 3 else 2.0  # beyond every confidence


def _repeats(words: str, text: str) -> bool:
    """Tell whether `words` hold a long piece of the text: for certain if it is twice as long as our pieces."""
    said, plain = " ".join(words[:LONGEST_ANSWER].split()), " ".join(text.split())
    pieces = (said[at : at + _ECHOED] for at in range(0, len(said) - _ECHOED + 1, _ECHOED))
    return any(piece in plain for piece in pieces)
