"""Attacks that operators know, as vectors in the database: what every instance looks for beside what ships."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np

from detectors.errors import StorageError
from detectors.models.known_attacks import WIDTH, KnownAttacks, as_known
from detectors.types import Category
from storage.postgres import Connection, Database
from storage.types import Role

MOST: Final = 5000  # as 0024_attacks.sql says
_LISTED: Final = "SELECT id, model, category, note, author, created_at FROM private.known_attacks ORDER BY id"
_VECTORS: Final = "SELECT id, vector::text AS numbers, category FROM private.known_attacks WHERE model = $1 ORDER BY id"


@dataclass(frozen=True, slots=True)
class KnownAttack:
    """One of them, without its vector. One of another `model` than ours is not looked for."""

    id: int
    model: str
    category: str
    note: str
    author: str
    created_at: datetime


class AttackStore:
    """The database's side of `promptshield attacks`. Everything that changes something is in the admin audit."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, vector: Sequence[float], model: str, category: Category, note: str, actor: str) -> int:
        """Keep a unit vector of WIDTH numbers; return its number. Raises StorageError, so if it is known."""
        if len(vector) != WIDTH:
            raise ValueError(f"a vector has {WIDTH} numbers, not {len(vector)}")
        numbers = "[" + ",".join(f"{number:.6f}" for number in vector) + "]"
        async with self._database.transaction(Role.APP) as connection:
            for row in await connection.fetch(_VECTORS, model) if await _enabled(connection) else []:
                if np.allclose(_numbers(row["numbers"]), vector, atol=1e-5):
                    raise StorageError(f"it is known already, as attack {row['id']}")
            number: int = await connection.fetchval(
                "SELECT private.add_attack($1, $2, $3, $4, $5)", numbers, model, str(category), note, actor
            )
        return number

    async def remove(self, number: int, actor: str) -> bool:
        """Forget one; tell whether there was one of that number."""
        async with self._database.transaction(Role.APP) as connection:
            return bool(await connection.fetchval("SELECT private.remove_attack($1, $2)", number, actor))

    async def list(self) -> tuple[KnownAttack, ...] | None:
        """Return all in the order in which they came; None where the database has no pgvector."""
        async with self._database.transaction(Role.APP) as connection:
            if not await _enabled(connection):
                return None
            return tuple(KnownAttack(**dict(row.items())) for row in await connection.fetch(_LISTED))

    async def vectors(self, model: str) -> KnownAttacks:
        """Return those of a model as detectors look for them: none, where the database has no pgvector."""
        async with self._database.transaction(Role.APP) as connection:
            rows = await connection.fetch(_VECTORS, model) if await _enabled(connection) else []
        return as_known([_numbers(row["numbers"]) for row in rows], [Category(row["category"]) for row in rows])


def _numbers(text: str) -> list[float]:
    """Read a vector as Postgres writes it."""
    return [float(number) for number in text[1:-1].split(",")]


async def _enabled(connection: Connection) -> bool:
    return bool(await connection.fetchval("SELECT private.enable_attacks()"))
