"""Policies that the database holds: versions with author, reason and approval, and which of them is in force."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from detectors.errors import StorageError
from storage.postgres import Database, Row
from storage.types import Role

_COLUMNS: Final = "v.name, v.version, v.content, v.digest, v.revision, v.author, v.reason, v.created_at, v.approved_by"
# Of each name its last activation; one without a version leaves nothing in force.
_IN_FORCE: Final = "SELECT DISTINCT ON (name) name, version FROM private.policy_activations ORDER BY name, id DESC"
_HISTORY: Final = f"""
SELECT {_COLUMNS}, coalesce(v.version = a.version, false) AS in_force
FROM private.policy_versions AS v LEFT JOIN ({_IN_FORCE}) AS a ON a.name = v.name
WHERE v.name = $1 ORDER BY v.version
"""  # noqa: S608 - columns and conditions of our own
_ONE: Final = f"""
SELECT {_COLUMNS}, coalesce(v.version = a.version, false) AS in_force
FROM private.policy_versions AS v LEFT JOIN ({_IN_FORCE}) AS a ON a.name = v.name
WHERE v.name = $1 AND ($2::integer IS NULL AND v.version = a.version OR v.version = $2)
"""  # noqa: S608 - likewise
# Without the texts, of which each may have 256 KiB.
_PAGE: Final = f"""
SELECT {_COLUMNS.replace("v.content", "'' AS content")}, coalesce(v.version = a.version, false) AS in_force
FROM private.policy_versions AS v LEFT JOIN ({_IN_FORCE}) AS a ON a.name = v.name
WHERE v.name = $1 AND v.version < $2 ORDER BY v.version DESC LIMIT $3
"""  # noqa: S608 - likewise
_ACTIVE: Final = f"""
SELECT {_COLUMNS}, true AS in_force FROM ({_IN_FORCE}) AS a
JOIN private.policy_versions AS v ON v.name = a.name AND v.version = a.version ORDER BY v.name
"""  # noqa: S608 - likewise
_ACTIVATIONS: Final = """
SELECT version FROM private.policy_activations WHERE name = $1 AND version IS NOT NULL ORDER BY id
"""
_ALONE: Final = "SELECT pg_advisory_xact_lock(hashtext('ps_policy ' || $1))"  # as private.activate_policy does
_WAS_IN_FORCE: Final = "SELECT EXISTS (SELECT FROM private.policy_activations WHERE name = $1 AND version = $2)"


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """One version of a policy. `digest` is of its own text, `revision` what decisions name; times are aware."""

    name: str
    version: int
    content: str
    digest: str
    revision: str
    author: str
    reason: str
    created_at: datetime
    approved_by: str | None
    in_force: bool


class PolicyVersions:
    """The database's side of `promptshield policy`. Everything that changes something is in the admin audit."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(self, name: str, content: str, revision: str, author: str, reason: str) -> int:
        """Keep a draft and return its number. Raises StorageError for a name that no policy can have."""
        digest = f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"
        async with self._database.transaction(Role.APP) as connection:
            number: int = await connection.fetchval(
                "SELECT private.save_policy($1, $2, $3, $4, $5, $6)", name, content, digest, revision, author, reason
            )
        return number

    async def approve(self, name: str, version: int, actor: str) -> None:
        """Note that somebody who is not its author agrees. Raises StorageError."""
        async with self._database.transaction(Role.APP) as connection:
            await connection.execute("SELECT private.approve_policy($1, $2, $3)", name, version, actor)

    async def activate(
        self, name: str, version: int | None, actor: str, reason: str, *, four_eyes: bool, instead_of: int | None = None
    ) -> None:
        """Put a version in force on every instance, or with None take the policy out of the database's hands.

        Raises StorageError, with `four_eyes` also for a version that nobody has approved, and where another version
        than `instead_of` is in force by now.
        """
        async with self._database.transaction(Role.APP) as connection:
            if instead_of is not None:
                await connection.execute(_ALONE, name)
                now = await connection.fetchrow(_ONE, name, None)
                if now is None or now["version"] != instead_of:
                    told = "none" if now is None else f"version {now['version']}"
                    raise StorageError(
                        f"version {instead_of} of '{name}' is no longer in force, but {told}: look again"
                    )
            await connection.execute(
                "SELECT private.activate_policy($1, $2, $3, $4, $5)", name, version, actor, reason, four_eyes
            )

    async def history(self, name: str) -> tuple[PolicyVersion, ...]:
        """All versions of a policy, oldest first."""
        async with self._database.transaction(Role.READER) as connection:
            return tuple(_version(row) for row in await connection.fetch(_HISTORY, name))

    async def page(self, name: str, before: int, limit: int) -> tuple[PolicyVersion, ...]:
        """Versions with smaller numbers than `before`, newest first, without their texts."""
        async with self._database.transaction(Role.READER) as connection:
            return tuple(_version(row) for row in await connection.fetch(_PAGE, name, before, limit))

    async def find(self, name: str, version: int | None = None) -> PolicyVersion | None:
        """One version of a policy, by default the one in force."""
        async with self._database.transaction(Role.READER) as connection:
            row = await connection.fetchrow(_ONE, name, version)
        return None if row is None else _version(row)

    async def before(self, name: str) -> int | None:
        """The version that was in force before the present one, None if there was none.

        Whoever goes back twice goes back two versions: what was undone is no step on the way.
        """
        async with self._database.transaction(Role.READER) as connection:
            activated = [row["version"] for row in await connection.fetch(_ACTIVATIONS, name)]
        way: list[int] = []
        for version in activated:
            if way[-2:-1] == [version]:
                way.pop()
            elif way[-1:] != [version]:
                way.append(version)
        if await self.find(name) is None:  # withdrawn: nothing is in force
            return way[-1] if way else None
        return way[-2] if len(way) > 1 else None

    async def way_back(self, name: str, wanted: int | None = None) -> int:
        """Return the version that a rollback puts in force: `wanted`, by default the one before the present one.

        Raises StorageError where that was never in force: a draft is put in force by `activate`, with its conditions.
        """
        if wanted is None:
            before = await self.before(name)
            if before is None:
                raise StorageError(f"no earlier version of '{name}' was in force")
            return before
        async with self._database.transaction(Role.READER) as connection:
            if not await connection.fetchval(_WAS_IN_FORCE, name, wanted):
                raise StorageError(f"version {wanted} of '{name}' was never in force: it is not gone back to")
        return wanted

    async def in_force(self) -> tuple[PolicyVersion, ...]:
        """What the database holds and is in force, by name."""
        async with self._database.transaction(Role.READER) as connection:
            return tuple(_version(row) for row in await connection.fetch(_ACTIVE))


def _version(row: Row) -> PolicyVersion:
    return PolicyVersion(**dict(row.items()))
