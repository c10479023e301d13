"""Deliberate removal: rows that expire or are purged leave gaps in their chains, and each gap is signed beforehand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from detectors.errors import StorageError
from storage.chains.chain import ChainName
from storage.chains.checkpoints import Checkpointer
from storage.chains.ledger import Ledger
from storage.chains.rows import flaws_at
from storage.chains.statements import RetiredRange, StatementKind
from storage.postgres import Connection, Row, reading
from storage.types import Role


class UnsoundError(StorageError):
    """What is about to be removed is not what was chained, so nobody signs that it went on purpose."""


@dataclass(frozen=True, slots=True)
class Removal:
    """Which rows are about to go: opened in [`opened_from`, `opened_to`), all tenants' or one's.

    `partition` (`private.decisions_20260101`) means only the rows stored there, because the default partition may hold
    others of the same day. `reason` is a word for auditors: retention, purge.
    """

    opened_from: datetime
    opened_to: datetime
    reason: str
    tenant_id: int | None = None
    partition: str | None = None


# Only the ends of contiguous runs leave the server: two rows for each range, however long it is.
_ENDS: Final = """
SELECT instance, tenant_id, seq, prev, hash, first, last FROM (
    SELECT instance, tenant_id, seq, prev, hash,
        lag(seq) OVER chain IS DISTINCT FROM seq - 1 AS first,
        lead(seq) OVER chain IS DISTINCT FROM seq + 1 AS last
    FROM public.decisions
    WHERE opened_at >= $1 AND opened_at < $2 AND seq IS NOT NULL
      AND ($3::bigint IS NULL OR tenant_id = $3)
      AND ($4::text IS NULL OR tableoid = to_regclass($4))
    WINDOW chain AS (PARTITION BY instance, tenant_id ORDER BY seq)
) AS links
WHERE first OR last
ORDER BY instance, tenant_id, seq
"""


class Retirement:
    """Signs which links of which chains are removed on purpose."""

    def __init__(self, ledger: Ledger, checkpointer: Checkpointer) -> None:
        self._ledger, self._checkpointer = ledger, checkpointer

    async def record(self, connection: Connection, removal: Removal) -> Sequence[RetiredRange]:
        """Sign and store the ranges that `removal` takes out of their chains; returns them, possibly none.

        Call it under Role.SHIP before the rows go, in the transaction that removes them all, with a lock held that
        keeps rows from being added to where they are removed from: what is added in between would go unrecorded, and
        `verify` calls that a deletion, as it calls what stays of a range an insertion. After the commit call
        `publish()`.
        Raises UnsoundError, StorageError, DatabaseUnavailableError.
        """
        rows = await connection.fetch(
            _ENDS, removal.opened_from, removal.opened_to, removal.tenant_id, removal.partition
        )
        ranges = tuple(_ranges(rows))
        if ranges:
            await _insist_on_sound_ends(connection, ranges)
            if removal.partition:
                await self._checkpointer.sign(connection)
            content = {"reason": removal.reason, "ranges": [each.as_json() for each in ranges]}
            await self._ledger.append(connection, StatementKind.RETIREMENT, content)
        return ranges

    async def publish(self) -> None:
        """Carry what was committed outside the database. Raises StorageError; a later call carries it all the same."""
        await self._ledger.publish()


async def _insist_on_sound_ends(connection: Connection, ranges: Iterable[RetiredRange]) -> None:
    """Whoever moves a younger row into a day that goes would have us sign its removal: it would be an end, because
    its neighbours stay. The writer's role cannot read whole rows; the caller's lock keeps them as they are meanwhile.
    """
    ends: dict[ChainName, list[int]] = {}
    for each in ranges:
        ends.setdefault(ChainName(each.instance, each.tenant_id), []).extend((each.first, each.last))
    async with reading(connection, Role.SHIP):
        for name, seqs in ends.items():
            for flaw in await flaws_at(connection, name, seqs):
                raise UnsoundError(f"a day is not removed, {flaw}: run `promptshield audit verify`")


def _ranges(ends: Iterable[Row]) -> Iterable[RetiredRange]:
    start: Row | None = None
    for row in ends:
        start = row if row["first"] else start
        if row["last"] and start is not None:
            yield RetiredRange(row["instance"], row["tenant_id"], start["seq"], row["seq"], start["prev"], row["hash"])
