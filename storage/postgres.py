"""The only door to Postgres: pooled transactions that begin with a role, and every asyncpg error turned into ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, Protocol, Self, cast

import asyncpg

from detectors.errors import DatabaseUnavailableError, StorageError
from storage.types import Role

CONNECT_SECONDS: Final = 10.0
COMMAND_SECONDS: Final = 60.0

# Classes of SQLSTATE that blame what we sent: data exception, integrity, view check, limits of a value.
_DATA_CLASSES: Final = frozenset({"22", "23", "44", "54"})
_CHECK_VIOLATED: Final = "23514"
_RAISED: Final = "P0001"  # RAISE in a function of ours; its text is a sentence for operators


class Row(Protocol):
    def __getitem__(self, column: str) -> Any: ...
    def items(self) -> Iterable[tuple[str, Any]]: ...
    def values(self) -> Iterable[Any]: ...


class Connection(Protocol):
    """What a transaction lets its body do. Parameters are `$1`, `$2`; JSON travels as text."""

    async def execute(self, query: str, *args: object) -> str: ...
    async def fetch(self, query: str, *args: object) -> Sequence[Row]: ...
    async def fetchrow(self, query: str, *args: object) -> Row | None: ...
    async def fetchval(self, query: str, *args: object) -> Any: ...


class PartitionMadeError(DatabaseUnavailableError):
    """A row had found its way to the default partition just as another process made the one that it belongs into."""


class Database:
    """A pool of connections to one database. Nothing runs on it but in a transaction that has taken on a role."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    @classmethod
    async def connect(cls, url: str, *, size: int = 4, at_once: bool = True) -> Self:
        """Open at most `size` connections to `url`, the first one at once, or when it is needed.

        Raises DatabaseUnavailableError, StorageError for a bad address.
        """
        with _translated(), _address_kept_secret():
            pool = await asyncpg.create_pool(
                url,
                min_size=0,
                max_size=size,
                # PgBouncer in transaction mode gives each transaction another server session.
                statement_cache_size=0,
                timeout=CONNECT_SECONDS,
                command_timeout=COMMAND_SECONDS,
            )
            if at_once:
                async with pool.acquire(timeout=CONNECT_SECONDS):
                    pass
        return cls(pool)

    async def close(self) -> None:
        """Wait for running transactions, then close all connections."""
        with _translated():
            await self._pool.close()

    @asynccontextmanager
    async def transaction(
        self, role: Role, tenant_id: int | None = None, *, snapshot: bool = False
    ) -> AsyncIterator[Connection]:
        """One transaction under `role`, seeing the rows of `tenant_id` where the role's policies ask for a tenant.

        Commits when the body returns, rolls back when it raises; READER cannot write. With `snapshot` all statements
        see the database of one moment. Raises StorageError if the data are at fault, DatabaseUnavailableError if other
        data would have fared no better.
        """
        with _translated():
            async with (
                self._pool.acquire(timeout=CONNECT_SECONDS) as connection,
                connection.transaction(readonly=role is Role.READER, isolation="repeatable_read" if snapshot else None),
            ):
                await connection.execute(_take_on(role, tenant_id))
                yield cast("Connection", connection)

    async def ping(self) -> None:
        """Return if the database answers and lets us in. Raises DatabaseUnavailableError."""
        async with self.transaction(Role.READER) as connection:
            await connection.fetchval("SELECT 1")


@asynccontextmanager
async def reading(connection: Connection, usual: Role) -> AsyncIterator[None]:
    """Let a body see whole rows as READER in the middle of a transaction under `usual`, with the locks it has."""
    await connection.execute(_take_on(Role.READER, None))
    yield
    await connection.execute(_take_on(usual, None))


class Session:
    """One connection outside any pool, whose transactions take on no role: migrations and tools."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str) -> AsyncIterator[Self]:
        """Log in as whoever `url` says, for as long as the body runs. Raises as `Database.connect` does."""
        with _translated(), _address_kept_secret():
            connection = await asyncpg.connect(url, statement_cache_size=0, timeout=CONNECT_SECONDS)
        try:
            yield cls(connection)
        finally:
            with _translated():
                await connection.close(timeout=CONNECT_SECONDS)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """As `Database.transaction`, under the role that logged in."""
        with _translated():
            async with self._connection.transaction():
                yield cast("Connection", self._connection)


def _take_on(role: Role, tenant_id: int | None) -> str:
    # One round trip for both; neither value is text from outside.
    tenant = "" if tenant_id is None else str(int(tenant_id))
    return f"SET LOCAL ROLE {role.value}; SELECT set_config('promptshield.tenant_id', '{tenant}', true)"


@contextmanager
def _address_kept_secret() -> Iterator[None]:
    try:
        yield
    except ValueError:
        # The parser's message quotes pieces of the address, which may be pieces of the password: not chained either.
        raise StorageError("the database address is not a usable postgresql:// URL") from None


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except asyncpg.PostgresError as exc:
        raise _cancellation() or _blame(exc) from exc
    except (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as exc:
        problem = f"the database does not answer: {type(exc).__name__}"
        raise _cancellation() or DatabaseUnavailableError(problem) from exc


def _cancellation() -> asyncio.CancelledError | None:
    """Return what a task that was cancelled is to see, whatever the driver says: on a connection that is lost at the
    same moment it raises an error of its own instead, and the task would go on.
    """
    task = asyncio.current_task()
    return asyncio.CancelledError() if task is not None and task.cancelling() else None


def _blame(exc: Any) -> StorageError:
    state = str(exc.sqlstate)
    if state == _RAISED:
        return StorageError(exc.args[0])
    constraint = getattr(exc, "constraint_name", None)
    if state == _CHECK_VIOLATED and not constraint:
        # A CHECK of ours has a name; a partition's bounds have none, and the parent chose them well.
        return PartitionMadeError("the partition of a row was made while it was stored")
    if state[:2] in _DATA_CLASSES:
        # Never the server's message here: it quotes the value.
        where = f", constraint {constraint}" if constraint else ""
        return StorageError(f"the database refused the data: {type(exc).__name__} ({state}{where})")
    return DatabaseUnavailableError(f"the database cannot serve: {exc.args[0]} ({state})")
