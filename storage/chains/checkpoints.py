"""Checkpoints: every hour an instance signs how far its chains have come, so that what lies behind stays as it was."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from detectors.errors import StorageError
from storage.accounts.audit_chain import stored_head
from storage.chains.chain import NOTHING, ChainName, Head, RememberedHeads
from storage.chains.ledger import Ledger
from storage.chains.statements import JsonObject, StatementKind
from storage.postgres import Connection, Database
from storage.types import Role

INTERVAL: Final = 3600.0  # seconds
RETRY: Final = 60.0
_HEADS: Final = "SELECT tenant_id, seq, hash FROM private.chain_heads WHERE instance = $1 AND seq > 0"


@dataclass(frozen=True, slots=True)
class Named:
    """What a checkpoint names: the heads that moved, and the last link of the admin audit."""

    heads: dict[ChainName, Head]
    admin_audit: Head | None


@dataclass(slots=True)
class CheckpointCounts:
    """Since the process started; a failure is tried again after a minute."""

    signed: int = 0
    failures: int = 0


class Checkpointer:
    """Signs the heads of one instance's chains; `heads` is what its writer has seen committed.

    The first checkpoint of a process names every chain, later ones those that moved.
    """

    def __init__(self, database: Database, ledger: Ledger, heads: RememberedHeads) -> None:
        self.counts = CheckpointCounts()
        self._database, self._ledger, self._heads = database, ledger, heads
        self._signed: dict[ChainName, Head] | None = None
        self._audit_signed: Head | None = None

    async def run_forever(self) -> None:
        """Make a checkpoint now and every hour until cancelled; at an orderly end call `checkpoint()` once more."""
        while True:
            try:
                await self.checkpoint()
                await asyncio.sleep(INTERVAL)
            except StorageError:
                self.counts.failures += 1
                await asyncio.sleep(RETRY)

    async def checkpoint(self) -> None:
        """Sign, store and publish, if a chain moved since the last time; publish in any case what waits.

        Raises StorageError; nothing is lost by calling again.
        """
        async with self._database.transaction(Role.SHIP) as connection:
            named = await self.sign(connection)
        if named is not None:
            self._signed, self._audit_signed = {**(self._signed or {}), **named.heads}, named.admin_audit
            self.counts.signed += 1
        await self._ledger.publish()

    async def sign(self, connection: Connection) -> Named | None:
        """Sign the heads that moved, in somebody's transaction under Role.SHIP; None if none did."""
        heads = await self._current(connection)
        signed = self._signed or {}
        moved = {name: head for name, head in heads.items() if signed.get(name) != head}
        audit = await stored_head(connection)
        if not moved and audit == self._audit_signed and self._signed is not None:
            return None
        content: JsonObject = {
            "heads": [[name.tenant_id, head.seq, head.hash.hex()] for name, head in sorted(moved.items())]
        }
        if audit is not None and audit.seq:
            content["admin_audit"] = [audit.seq, audit.hash.hex()]
        await self._ledger.append(connection, StatementKind.CHECKPOINT, content)
        return Named(moved, audit)

    async def _current(self, connection: Connection) -> dict[ChainName, Head]:
        instance = self._ledger.instance
        rows = await connection.fetch(_HEADS, instance)
        stored = {ChainName(instance, row["tenant_id"]): Head(row["seq"], row["hash"]) for row in rows}
        names = stored.keys() | self._heads.of_instance(instance).keys()
        return {name: self._heads.trusted(name, stored.get(name, NOTHING)) for name in names}
