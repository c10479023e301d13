"""What a judge is asked: its instructions, and the text in a box that nothing inside can open.

The text is delimited by words made up for this one question, and every line of it is marked (Hines et al. 2024,
"Defending Against Indirect Prompt Injection Attacks With Spotlighting"): whatever the text says, it cannot end itself,
speak from outside of its box, or know the word that a genuine answer repeats.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from detectors.judges.instructions import instructions_for
from detectors.judges.types import Question

LONGEST: Final = 24_000  # characters of one question
_LINE: Final = 120  # characters of the text that stand behind one mark
_NONCE_BYTES: Final = 9
# What moves a terminal, hides or turns around text: not what is judged, and a way to hide the end of a line.
_UNSEEN: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def nonce() -> str:
    """Return 18 characters that nobody can guess: 72 bits."""
    return secrets.token_hex(_NONCE_BYTES)


@dataclass(frozen=True, slots=True)
class Prompt:
    """`system` and `user` are the two messages; an answer counts only if it repeats `check`; `box` never leaves it."""

    system: str
    user: str
    check: str
    box: str


def prompt_for(question: Question, make: Callable[[], str] = nonce) -> Prompt:
    """Return the prompt for one question. `make` makes words that nobody knows before, a new one each time."""
    box, check = make(), make()
    opening, closing, mark = f"BEGIN-{box}", f"END-{box}", f"{box[:6]}|"
    places = {"{opening}": opening, "{closing}": closing, "{mark}": mark, "{check}": check, "{origin}": question.origin}
    system = instructions_for(question.language)
    for place, value in places.items():
        system = system.replace(place, value)
    lines = _lines(_without(question.text, (box, check, box[:6])))
    user = "\n".join([opening, *(f"{mark} {line}" for line in lines), closing])
    return Prompt(system, user, check, box)


def _without(text: str, words: tuple[str, ...]) -> str:
    """Return the text with whatever was made up for its own box taken out, however it is written."""
    pattern = re.compile("|".join(map(re.escape, words)), re.IGNORECASE)
    while pattern.search(text):  # what is left of a word may join to one again
        text = pattern.sub("", text)
    return text


def _lines(text: str) -> list[str]:
    """Cut a text into short lines; nothing in it counts as a line's end but what we cut."""
    plain = _UNSEEN.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n"))
    return [line[at : at + _LINE] for line in plain.split("\n") for at in range(0, max(1, len(line)), _LINE)]
