"""A chained log with everything that signs it, for the tests of chain, checkpoints and verification."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from storage.chains.chain import RememberedHeads
from storage.chains.checkpoints import Checkpointer
from storage.chains.ledger import CheckpointSink, Ledger, Signer
from storage.chains.retired import Removal, Retirement
from storage.chains.signing import SigningKey, Succession
from storage.chains.statement_file import StatementFile, read_statements
from storage.chains.verify import Believed, Report, Scope, verify
from storage.decisions.writer import PostgresSink
from storage.postgres import Database
from storage.types import DecisionRecord, Role, Tenant
from tests.storage.conftest import MakeRecord

START = datetime(2026, 3, 1, tzinfo=UTC)


class ChainedLog:
    """One instance and one tenant of their own; the clock stands still unless a test moves `now`."""

    def __init__(self, database: Database, folder: Path, tenant: Tenant, make_record: MakeRecord) -> None:
        self.database, self.folder, self.tenant_id, self.make_record = database, folder, tenant.id, make_record
        self.scope = Scope(tenant=tenant.slug)
        self.instance = f"i-{secrets.token_hex(4)}"
        self.key = SigningKey(secrets.token_bytes(32))
        self.anchors = [self.key.public]
        self.now = START
        self.start_process()

    def start_process(self, successions: Sequence[Succession] = (), sinks: Sequence[CheckpointSink] = ()) -> None:
        """What a restart leaves: the files and the database."""
        self.heads = RememberedHeads()
        self.sink = PostgresSink(self.database, self.heads)
        signer = Signer(self.instance, self.key, successions)
        file = StatementFile(self.folder, self.instance)
        self.ledger = Ledger(self.database, signer, file, sinks, clock=lambda: self.now.timestamp())  # noqa: PLW0108 - `now` moves
        self.checkpointer = Checkpointer(self.database, self.ledger, self.heads)
        self.retirement = Retirement(self.ledger, self.checkpointer)

    def record(self, **fields: object) -> DecisionRecord:
        """A record of this log, opened at `now`, which moves on by a second."""
        self.now += timedelta(seconds=1)
        return self.make_record(self.tenant_id, self.now, **({"instance": self.instance} | fields))

    async def write(self, count: int, **fields: object) -> list[DecisionRecord]:
        records = [self.record(**fields) for _ in range(count)]
        await self.sink.write(records)
        return records

    async def retire(self, first: DecisionRecord, count: int) -> None:
        """Sign the retirement of the `count` seconds from `first` on; the rows are the caller's to delete."""
        opened = datetime.fromtimestamp(int(first.id[:8] + first.id[9:13], 16) / 1000, UTC)
        async with self.database.transaction(Role.SHIP) as connection:
            removal = Removal(opened, opened + timedelta(seconds=count), "retention", self.tenant_id)
            await self.retirement.record(connection, removal)
        await self.retirement.publish()

    async def verify(self, scope: Scope | None = None, *, outside: bool = True) -> Report:
        """The report on this log's tenant; damages of other logs, each with a key of its own, are left out."""
        published = read_statements(self.folder) if outside else None
        report = await verify(self.database, scope or self.scope, Believed(self.anchors, published))
        return replace(report, damages=[d for d in report.damages if d.instance.startswith(self.instance)])

    async def found(self, scope: Scope | None = None) -> list[tuple[str, int | None, str | None]]:
        """Kind, link and decision of every damage of this log."""
        return [(d.kind.value, d.seq, d.decision_id) for d in (await self.verify(scope)).damages]
