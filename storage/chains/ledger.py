"""The ledger of an instance: its statements, numbered and signed in the database and carried outside of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

from detectors.errors import StorageError, UnavailableError
from storage.apart import apart
from storage.chains.signing import SigningKey, Succession, path_between
from storage.chains.statement_file import StatementFile
from storage.chains.statements import FIRST, JsonObject, Statement, StatementKind
from storage.postgres import Connection, Database
from storage.types import Role

_MOST_WAITING: Final = 1000  # statements for a sink that is away; all of them are in the file
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('promptshield.statements:' || $1, 0))"
_LAST: Final = "SELECT line FROM private.statements WHERE instance = $1 ORDER BY number DESC LIMIT 1"
_INSERT: Final = "INSERT INTO private.statements (instance, number, hash, line) VALUES ($1, $2, $3, $4)"
_SINCE: Final = "SELECT line FROM private.statements WHERE instance = $1 AND number > $2 ORDER BY number"


@runtime_checkable
class CheckpointSink(Protocol):
    """A further place outside the database that statements are published to."""

    async def publish(self, checkpoint: bytes) -> None:
        """Take one statement, a line of JSON. Raises UnavailableError if it should be offered again."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signs for an instance. `successions` are the handovers of the house's keys, in any order."""

    instance: str
    key: SigningKey
    successions: Sequence[Succession] = ()

    def wrote(self, statement: Statement) -> bool:
        """Whether this installation signed it, under its key of today or an earlier one."""
        ours = {self.key.public, *(key for handover in self.successions for key in (handover.old, handover.new))}
        return any(statement.is_signed_by(public) for public in ours)


class Ledger:
    """Appends within somebody's transaction, and publishes what was committed."""

    def __init__(
        self,
        database: Database,
        signer: Signer,
        file: StatementFile,
        sinks: Sequence[CheckpointSink] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.instance = signer.instance
        self._database, self._signer, self._file, self._clock = database, signer, file, clock
        self._publishing = asyncio.Lock()
        self._waiting: list[tuple[CheckpointSink, list[Statement]]] = [(sink, []) for sink in sinks]

    async def append(self, connection: Connection, kind: StatementKind, content: JsonObject) -> Statement:
        """Sign and store the next statement, in a transaction under Role.SHIP; other appenders wait for its end.

        If the house has another key than signed so far, the handover comes first. Raises StorageError, also where the
        last statement in the database is not of this installation.
        """
        await connection.execute(_LOCK, self.instance)
        last = await self._last(connection)
        if last is not None and last.key != self._signer.key.id:
            way = path_between(last.key, self._signer.key.id, self._signer.successions)
            handover = {"successions": [step.as_json() for step in way]}
            last = await self._store(connection, last, StatementKind.SUCCESSION, handover)
        return await self._store(connection, last, kind, content)

    async def publish(self) -> None:
        """Carry outside what was committed and is not there yet. Raises StorageError; nothing is left out for it.

        Checkpoints and retention may both ask at once: one at a time, or a statement would be offered twice and the
        next one not at all.
        """
        async with self._publishing:
            await self._publish()

    async def _publish(self) -> None:
        published = await apart(self._file.last)
        async with self._database.transaction(Role.SHIP) as connection:
            rows = await connection.fetch(_SINCE, self.instance, published.number if published else 0)
        new = await apart(self._file.append, [self._ours(row["line"]) for row in rows])
        for sink, waiting in self._waiting:
            waiting.extend(new)
            del waiting[:-_MOST_WAITING]
            await _offer(sink, waiting)

    async def _last(self, connection: Connection) -> Statement | None:
        """The newest of what is stored and what is published: a database that was put back knows less than the file."""
        line = await connection.fetchval(_LAST, self.instance)
        stored = None if line is None else self._ours(line)
        published = await apart(self._file.last)
        if stored is None or (published is not None and published.number >= stored.number):
            return published
        return stored

    async def _store(
        self, connection: Connection, last: Statement | None, kind: StatementKind, content: JsonObject
    ) -> Statement:
        statement = Statement(
            kind=kind,
            instance=self.instance,
            number=last.number + 1 if last else 1,
            previous=last.hash() if last else FIRST,
            at=int(self._clock() * 1_000_000),
            key=self._signer.key.id,
            content=content,
        ).signed(self._signer.key)
        values = (statement.instance, statement.number, statement.hash(), statement.line().decode())
        await connection.execute(_INSERT, *values)
        return statement

    def _ours(self, line: str) -> Statement:
        statement = Statement.from_line(line)
        if statement.instance != self.instance or not self._signer.wrote(statement):
            raise StorageError("the database holds a statement that is not ours: run `promptshield audit verify`")
        return statement


async def _offer(sink: CheckpointSink, waiting: list[Statement]) -> None:
    try:
        while waiting:
            await sink.publish(waiting[0].line())
            del waiting[0]
    except UnavailableError:
        return  # offered again when the next statement is published
