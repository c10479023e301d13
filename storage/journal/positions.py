"""How far a reader has come in each writer's segments, and keeping that over a restart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from pathlib import Path
from urllib.parse import quote

import orjson

from storage.journal.folder import read_piece, replace_file

_LONGEST = 16 << 20


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """All that closed before `offset` in segment `segment` is accounted for.

    `interrupted` is how many rows of a dead writer's open exchanges are, in the order in which those were opened;
    `decisions` is how many the writer had closed up to here.
    """

    segment: int
    offset: int
    interrupted: int = 0
    decisions: int = 0


def position_file(folder: Path, reader: str) -> Path:
    """Return where the positions of the reader called `reader` lie."""
    return folder / f"{quote(reader, safe='')}.position"


def load_positions(file: Path) -> dict[str, Position]:
    """Return the position in each writer's segments; none if the file is missing or damaged. Raises JournalError.

    Without a position a writer is read from the beginning, so what was delivered before is delivered again.
    """
    try:
        document = orjson.loads(read_piece(file, 0, _LONGEST))
        return {str(writer): Position(*map(int, numbers)) for writer, numbers in document.items()}
    except (orjson.JSONDecodeError, AttributeError, TypeError, ValueError):
        return {}


def save_positions(file: Path, positions: Mapping[str, Position]) -> None:
    """Replace the file atomically. Raises JournalError."""
    replace_file(file, orjson.dumps({writer: astuple(position) for writer, position in positions.items()}))
