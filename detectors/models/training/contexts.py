"""What attacks were put into, without them: a table, a mail or code that several attacks share is none itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Final

from detectors.models.training.rows import Row
from detectors.types import Origin

SHORTEST: Final = 200  # characters that are a context, and no turn of phrase
MOST: Final = 0.75  # of both texts: what two share of less may be the attack itself
_PIECE: Final = 80  # characters by which two texts are seen to share one
SUFFIX: Final = "_context"  # of the sources of such rows


def shared_contexts(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield, as a benign row, each text that two attacks of one source on tools' results have around them.

    Whoever learns from attacks alone learns the names in a table that they stand in.
    """
    by_source: dict[str, list[Row]] = {}
    for row in rows:
        if row.attack and row.origin is Origin.TOOL and len(row.text) >= SHORTEST:
            by_source.setdefault(row.source, []).append(row)
    for source, attacks in by_source.items():
        told = set[str]()
        for row in attacks:
            context = _shared(row.text, [other.text for other in attacks if other.text != row.text])
            if len(context) >= SHORTEST and not any(context in one for one in told):
                told.add(context)
                yield replace(row, text=context, category=None, source=source + SUFFIX)


def _shared(text: str, others: Sequence[str]) -> str:
    """Return most of a text, as far as one of the others has it too around the middle; empty where none has as much."""
    middle = len(text) // 2 - _PIECE // 2
    piece = text[middle : middle + _PIECE]
    for other in others:
        if piece in other:
            place = other.index(piece)
            before = _alike(reversed(text[:middle]), reversed(other[:place]))
            after = _alike(iter(text[middle:]), iter(other[place:]))
            if before + after >= MOST * max(len(text), len(other)):
                return text[middle - before : middle + after].strip()
    return ""


def _alike(left: Iterator[str], right: Iterator[str]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(left, right, strict=False)))
