"""What a decoder is: a cheap gate that most text does not pass, and a function from text to decoded runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from detectors.types import Span

SHORTEST = 6  # decoded runs below this many characters say nothing


@dataclass(frozen=True, slots=True)
class Run:
    """One encoded stretch and what it says. `aligned`: character i of `text` is character i of the stretch."""

    span: Span
    text: str
    aligned: bool = False


@dataclass(frozen=True, slots=True)
class Decoder:
    """Where `gate` (an RE2 pattern) does not occur, `decode` is not called. `decode` is linear and raises nothing."""

    name: str
    gate: str
    decode: Callable[[str], Iterator[Run]]


def readable(raw: bytes) -> str | None:
    """Return `raw` as text if it is text: UTF-8 or UTF-16 with hardly anything unprintable; else None."""
    for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if len(text) >= SHORTEST and _mostly_printable(text) and (encoding == "utf-8" or text.isascii()):
            return text
    return None


def _mostly_printable(text: str) -> bool:
    if text.isprintable():
        return True
    odd = sum(1 for character in text if not (character.isprintable() or character in "\t\r\n"))
    return odd * 10 <= len(text)
