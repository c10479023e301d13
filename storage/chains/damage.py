"""What `verify` can find wrong, and where."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_MOST: Final = 1000  # kept in full; the rest is counted


class DamageKind(StrEnum):
    """edit: a row, or its link, is not what was chained. deletion: links are missing in the middle. truncation: at the
    end. insertion: a row that was never chained there. reordering: rows changed places. statement: what was signed
    about the chains is itself forged, altered or missing.
    """

    EDIT = "edit"
    DELETION = "deletion"
    REORDERING = "reordering"
    INSERTION = "insertion"
    TRUNCATION = "truncation"
    STATEMENT = "statement"


@dataclass(frozen=True, slots=True)
class Damage:
    """`seq` is the first link it concerns (for a statement its number), `note` a sentence for operators."""

    kind: DamageKind
    instance: str
    tenant_id: int | None
    seq: int | None
    decision_id: str | None
    note: str


class Damages:
    """All that was found: the first thousand in full."""

    def __init__(self) -> None:
        self._kept: list[Damage] = []
        self.count = 0

    def __iter__(self) -> Iterator[Damage]:
        return iter(self._kept)

    def add(self, damage: Damage) -> None:
        self.count += 1
        if self.count <= _MOST:
            self._kept.append(damage)
