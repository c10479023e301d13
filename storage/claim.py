"""A database belongs to the installation whose pepper hashed its API keys; any other must not start on it."""

from __future__ import annotations

from detectors.errors import StorageError
from storage.postgres import Database
from storage.types import Role


async def claim_database(database: Database, fingerprint: str) -> None:
    """Claim an unclaimed database. Raises StorageError if it was claimed with another pepper."""
    async with database.transaction(Role.APP) as connection:
        await connection.execute(
            "INSERT INTO private.installation (pepper_fingerprint) VALUES ($1) ON CONFLICT DO NOTHING", fingerprint
        )
        owner = await connection.fetchval("SELECT pepper_fingerprint FROM private.installation")
    if owner != fingerprint:
        raise StorageError(
            "this database was made with another pepper, so none of its API keys would be valid: share the keys folder "
            "of the first instance, or set PROMPTSHIELD_PEPPER and PROMPTSHIELD_CONTENT_KEY to its secrets"
        )
