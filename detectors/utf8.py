"""Between characters and the bytes that stand for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from detectors.types import Span


def without_surrogates(text: str) -> str:
    """Replace lone surrogates, which UTF-8 cannot hold, by `?`, keeping every offset."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def in_characters(data: bytes, places: Iterable[tuple[int, int]]) -> Iterator[Span]:
    """Yield places in UTF-8, left to right, as spans of characters: at each step only what is new is counted."""
    known = characters = 0
    for start, end in places:
        characters += len(data[known:start].decode())
        known = start
        yield Span(characters, characters + len(data[start:end].decode()))
