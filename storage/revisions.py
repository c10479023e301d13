"""The counters that every instance polls to learn that keys, policies or known attacks have changed."""

from __future__ import annotations

from dataclasses import dataclass

from detectors.errors import StorageError
from storage.postgres import Database
from storage.types import Role


@dataclass(frozen=True, slots=True)
class Revisions:
    """Each grows with every change and means nothing else; compare for equality."""

    identities: int
    policies: int
    attacks: int = 0


async def read_revisions(database: Database) -> Revisions:
    """The counters now. Raises DatabaseUnavailableError."""
    async with database.transaction(Role.APP) as connection:
        row = await connection.fetchrow("SELECT identities, policies, attacks FROM private.revisions")
    if row is None:
        raise StorageError("private.revisions has lost its row")
    return Revisions(row["identities"], row["policies"], row["attacks"])


async def bump_policies(database: Database) -> int:
    """Say that policies have changed; returns the new counter."""
    async with database.transaction(Role.APP) as connection:
        counter: int = await connection.fetchval("SELECT private.bump_policies()")
    return counter
