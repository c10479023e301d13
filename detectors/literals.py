"""Many literal texts in one pass, every place of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from detectors.matcher import LiteralEngine
from detectors.types import Span
from detectors.utf8 import without_surrogates


class LiteralMatcher:
    """Finds literals where they stand, also where they overlap."""

    def __init__(self, literals: Sequence[str]) -> None:
        self._sizes = tuple(map(len, literals))
        self._engine = LiteralEngine([literal.encode() for literal in literals])

    def places(self, text: str, most: int) -> Iterator[tuple[int, Span | None]]:
        """Yield the index of a literal and its place, by where places end. Of those behind `most` places each literal
        is told once, without a place.
        """
        if not self._sizes or not text:
            return
        data = without_surrogates(text).encode()
        found, further = self._engine.places(data, most)
        plain = len(data) == len(text)
        known = characters = 0
        for index, end in found:
            characters = end if plain else characters + len(data[known:end].decode())
            known = end
            yield index, Span(characters - self._sizes[index], characters)
        yield from ((index, None) for index in sorted(further))
