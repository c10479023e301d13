"""Verification: is the decision log what was written? Reads only, and believes nobody without the signing key.

What is found: every row that was changed, removed, added or moved, as far as checkpoints reach. Who controls the
database can recompute a chain from any link on, but not past a checkpoint that lies outside. So what can be rewritten
unnoticed are the rows after the newest checkpoint (at most an hour; `Report.unsigned` counts them), and these only if
the process that wrote them has died since: a living one signs the heads that it saw committed, not those that it finds.
Also outside the promise: rows from before the chain (counted), personal data set to NULL (which is what erasure does),
and the newest statements where no copy outside the database is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from detectors.errors import StorageError, UnknownTenantError
from storage.accounts.audit_chain import check_admin_audit
from storage.chains.chain import NOTHING, ChainName, Head
from storage.chains.check import ChainCheck
from storage.chains.damage import Damage, DamageKind, Damages
from storage.chains.evidence import Evidence, Logs, gather
from storage.chains.rows import (
    FitsDigest,
    Span,
    chain_names,
    count_unchained,
    reach,
    read_links,
    stored_heads,
    unchained_ids,
)
from storage.chains.statements import Statement
from storage.postgres import Connection, Database
from storage.types import Role

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EVER: Final = Span(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
_NO_END: Final = 2**63 - 1
_STATEMENTS: Final = "SELECT instance, line FROM private.statements ORDER BY instance, number"


@dataclass(frozen=True, slots=True)
class Scope:
    """What to verify: the rows opened in [since, until), of all tenants or of one; by default everything.

    It is widened to the checkpoints around, because a chain is only as good as what it hangs from.
    """

    since: datetime | None = None
    until: datetime | None = None
    tenant: str | None = None  # slug

    @property
    def span(self) -> Span:
        return Span(self.since or _EVER.since, self.until or _EVER.until)


@dataclass(frozen=True, slots=True)
class Believed:
    """What is brought from outside the database: public keys, what was published (None: nowhere), and, if the keys of
    tenants are at hand, the check of personal data.
    """

    anchors: Sequence[bytes]
    published: Logs | None = None
    fits_digest: FitsDigest | None = None


@dataclass(slots=True)
class Report:
    """`unchained` rows are from before the chain; `retired` links were removed on purpose; `unsigned` links follow the
    newest checkpoint. `damages` are in the order of instance, tenant and link, the first thousand of `damage_count`.
    """

    chains: int = 0
    rows: int = 0
    unchained: int = 0
    retired: int = 0
    unsigned: int = 0
    statements: int = 0
    admin_events: int = 0
    damage_count: int = 0
    damages: list[Damage] = field(default_factory=list)


async def verify(database: Database, scope: Scope, believed: Believed) -> Report:
    """Verify against one snapshot of the database. Raises StorageError for an unknown tenant, or a span of nothing."""
    damages, report = Damages(), Report()
    if scope.span.since >= scope.span.until:
        raise StorageError("the time range ends before it begins: there is nothing to verify")
    async with database.transaction(Role.READER, snapshot=True) as connection:
        tenant_id = await _tenant_id(connection, scope.tenant)
        stored = await _stored_logs(connection, damages)
        published = believed.published
        evidence = gather(published or {}, stored, believed.anchors, damages, outside=published is not None)
        report.statements = evidence.statements
        checking = _Checking(connection, scope.span, believed.fits_digest, evidence, damages, report)
        heads = await stored_heads(connection)
        names = {*heads, *evidence.names(), *await chain_names(connection)}
        for name in sorted(names):
            if tenant_id in {None, name.tenant_id}:
                await checking.check(name, heads.get(name))
        if tenant_id is None:  # one chain for all tenants: whole, or not at all
            report.admin_events = (await check_admin_audit(connection, evidence.admin_audit, damages)).rows
    report.damage_count = damages.count
    report.damages = sorted(damages, key=lambda d: (d.instance, d.tenant_id or 0, d.seq or 0))
    return report


@dataclass(frozen=True, slots=True)
class _Checking:
    connection: Connection
    span: Span
    fits_digest: FitsDigest | None
    evidence: Evidence
    damages: Damages
    report: Report

    async def check(self, name: ChainName, head: Head | None) -> None:
        start, end = await self._ends(name)
        check = ChainCheck(name, self.damages, start, self.evidence.heads[name], self.evidence.retired[name])
        until = _NO_END if end is None else end.seq
        await read_links(self.connection, name, start.seq, until, check.take, self.fits_digest)
        check.finish(end or head, to_the_end=end is None)
        self.report.chains += 1
        self.report.rows += check.rows
        self.report.retired += check.missing_on_purpose
        self.report.unsigned += check.unsigned
        await self._check_unchained(name)

    async def _ends(self, name: ChainName) -> tuple[Head, Head | None]:
        """The signed heads around the span: after the first and up to the second (None: to the chain's end)."""
        if self.span == _EVER:
            return NOTHING, None
        first, last = await reach(self.connection, name, self.span) or (_NO_END, 0)
        signed = self.evidence.heads[name]
        since, until = _microseconds(self.span.since), _microseconds(self.span.until)
        start = next((s.head for s in reversed(signed) if s.at <= since and s.head.seq < first), NOTHING)
        # Not before the start: a clock that was put back signed later links at earlier times.
        end = next((s.head for s in signed if s.at >= until and s.head.seq >= max(last, start.seq)), None)
        return start, end

    async def _check_unchained(self, name: ChainName) -> None:
        """Rows without a link are older than the first statement; later ones came past the writer."""
        self.report.unchained += await count_unchained(self.connection, name, self.span)
        began = self.evidence.began.get(name.instance, min(self.evidence.began.values(), default=None))
        if began is None:
            return
        late = Span(max(_EPOCH + timedelta(microseconds=began), self.span.since), self.span.until)
        for decision_id in await unchained_ids(self.connection, name, late):
            note = "a row without a link, opened after the chain began"
            self.damages.add(Damage(DamageKind.INSERTION, *name, None, decision_id, note))


async def _tenant_id(connection: Connection, slug: str | None) -> int | None:
    if slug is None:
        return None
    tenant_id: int | None = await connection.fetchval("SELECT id FROM public.tenants WHERE slug = $1", slug)
    if tenant_id is None:
        raise UnknownTenantError(f'there is no tenant "{slug}"')
    return tenant_id


async def _stored_logs(connection: Connection, damages: Damages) -> dict[str, list[Statement]]:
    logs: dict[str, list[Statement]] = {}
    for row in await connection.fetch(_STATEMENTS):
        try:
            statement = Statement.from_line(row["line"])
        except StorageError as exc:
            damages.add(Damage(DamageKind.STATEMENT, row["instance"], None, None, None, f"in the database: {exc}"))
            continue
        logs.setdefault(row["instance"], []).append(statement)
    return logs


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
