"""What an operator tells the model about a tenant: a text in a form of its own before the app's system prompt."""

from __future__ import annotations

import re
from typing import Final

LONGEST: Final = 4000  # characters
_BEGIN, _END = "[Context that the operator of this service gives:]", "[End of the operator's context.]"
_FRAMED: Final = re.compile(rf"{re.escape(_BEGIN)}\n.*?\n{re.escape(_END)}(?:\n\n)?", re.DOTALL)


def framed(text: str) -> str:
    """Return a preamble as it is put before a system prompt."""
    return f"{_BEGIN}\n{text.strip()}\n{_END}"


def without_preamble(text: str) -> str:
    """Return a system prompt as its author wrote it, where a provider repeats it with our preamble."""
    return _FRAMED.sub("", text) if _BEGIN in text else text


def check_preamble(text: str) -> str:
    """Return `text` if it can be framed. Raises ValueError."""
    if not text.strip():
        raise ValueError("an empty preamble says nothing")
    if len(text) > LONGEST:
        raise ValueError(f"longer than {LONGEST} characters")
    if _BEGIN in text or _END in text:
        raise ValueError("holds the line that begins or ends a preamble")
    return text
