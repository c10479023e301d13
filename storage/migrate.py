"""Brings a database to the schema of this program: roles first, then each numbered file once, in order."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from detectors.errors import StorageError
from storage.postgres import Connection, Session

FOLDER: Final = Path(__file__).parent / "migrations"
_LOCK: Final = 0x70735F6D6967  # "ps_mig"; one migration at a time in one database


@dataclass(frozen=True, slots=True)
class Migration:
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def load_migrations(folder: Path = FOLDER) -> tuple[Migration, ...]:
    """The numbered files of `folder`, in the order in which they are applied."""
    files = sorted(folder.glob("[0-9]*.sql"))
    return tuple(Migration(file.name, file.read_text(encoding="utf-8")) for file in files)


def _silent(_line: str) -> None:
    return


async def migrate(
    owner_url: str, login: str, report: Callable[[str], None] = _silent, *, folder: Path = FOLDER
) -> tuple[str, ...]:
    """Apply what is missing and return its names; nothing changes if nothing is missing.

    `owner_url` logs in as a superuser or as a role with CREATEROLE that owns the database; `login` is the role of
    DATABASE_URL, which is let into ps_app, ps_ship and ps_reader. Each file is one transaction. Raises StorageError
    if an applied file has changed since or a file fails, DatabaseUnavailableError.
    """
    migrations = await asyncio.to_thread(load_migrations, folder)
    bootstrap = await asyncio.to_thread((FOLDER / "bootstrap.sql").read_text, encoding="utf-8")
    async with Session.open(owner_url) as session:
        applied = await _bootstrap(session, bootstrap, login)
        for name in sorted(applied.keys() - {migration.name for migration in migrations}):
            report(f"the database is newer than this program: it has {name}")
        missing = [migration for migration in migrations if not _is_applied(migration, applied)]
        return tuple([migration.name for migration in missing if await _apply(session, migration, report)])


async def _bootstrap(session: Session, sql: str, login: str) -> dict[str, str]:
    """Make roles and the ledger; return the checksum of each applied file."""
    async with session.transaction() as connection:
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        await connection.execute("SELECT set_config('promptshield.login', $1, true)", login)
        await connection.execute(sql)
        return await _ledger(connection)


async def _apply(session: Session, migration: Migration, report: Callable[[str], None]) -> bool:
    """Apply one file, unless another process was faster."""
    try:
        # The lock ends with the transaction, so that it also holds behind PgBouncer; hence the second look.
        async with session.transaction() as connection:
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
            await connection.execute("SET LOCAL ROLE ps_owner")
            if _is_applied(migration, await _ledger(connection)):
                return False
            await connection.execute(migration.sql)
            await connection.execute(
                "INSERT INTO private.migrations (name, checksum) VALUES ($1, $2)", migration.name, migration.checksum
            )
    except StorageError as exc:
        raise type(exc)(f"{migration.name}: {exc}") from exc
    report(f"applied {migration.name}")
    return True


async def _ledger(connection: Connection) -> dict[str, str]:
    rows = await connection.fetch("SELECT name, checksum FROM private.migrations")
    return {row["name"]: row["checksum"] for row in rows}


def _is_applied(migration: Migration, applied: dict[str, str]) -> bool:
    checksum = applied.get(migration.name)
    if checksum is not None and checksum != migration.checksum:
        raise StorageError(
            f"migration {migration.name} was changed after it was applied: restore it and write a new one"
        )
    return checksum is not None
