"""Whether the admin audit is what was written: each link over the one before it, the head as checkpoints name it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from storage.chains.chain import NOTHING, ChainName, Head
from storage.chains.check import ChainCheck, Link
from storage.chains.damage import Damage, DamageKind, Damages
from storage.chains.evidence import SignedHead
from storage.postgres import Connection, Row

NAME: Final = ChainName("admin audit", 0)  # no instance is called so: theirs are hexadecimal
_TAG: Final = b"promptshield.admin_audit\n"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_BATCH: Final = 2000
_ROWS: Final = (
    "SELECT seq, prev, hash, at, actor, action, tenant_id, target, details::text AS details"
    " FROM private.admin_audit WHERE seq > $1 ORDER BY seq LIMIT $2"
)
# Links count from 1: what lies before, or has no number, is no link, and no migration left such an entry.
_OUTSIDE: Final = "SELECT count(*) FROM private.admin_audit WHERE seq IS NULL OR seq < 1"


async def stored_head(connection: Connection) -> Head | None:
    """The last link as the database has it; None if that row is gone."""
    row = await connection.fetchrow("SELECT seq, hash FROM private.admin_audit_head")
    return None if row is None else Head(row["seq"], row["hash"])


async def check_admin_audit(connection: Connection, signed: Sequence[SignedHead], damages: Damages) -> ChainCheck:
    """Go through all links; what is wrong goes to `damages`. `signed` are heads of checkpoints, in their order."""
    check = ChainCheck(NAME, damages, NOTHING, signed)
    after = 0
    while rows := await connection.fetch(_ROWS, after, _BATCH):
        for row in rows:
            check.take(_link(row))
        after = rows[-1]["seq"]
    check.finish(await stored_head(connection), to_the_end=True)
    if outside := await connection.fetchval(_OUTSIDE):
        note = f"entries that are no links of the chain: {outside}"
        damages.add(Damage(DamageKind.INSERTION, NAME.instance, NAME.tenant_id, None, None, note))
    return check


def event_hash(row: Row, prev: bytes) -> bytes:
    """As private.audit_hash computes it: each field by its length (4 bytes, big-endian; -1 for NULL) and its bytes."""
    at = (row["at"] - _EPOCH) // timedelta(microseconds=1)
    tenant_id = None if row["tenant_id"] is None else str(row["tenant_id"])
    fields = (str(at), row["actor"], row["action"], tenant_id, row["target"], row["details"])
    content = b"".join(_field(field) for field in fields)
    return hashlib.sha256(_TAG + prev + row["seq"].to_bytes(8, "big") + content).digest()


def _field(value: str | None) -> bytes:
    if value is None:
        return (-1).to_bytes(4, "big", signed=True)
    encoded = value.encode()
    return len(encoded).to_bytes(4, "big") + encoded


def _link(row: Row) -> Link:
    prev, link = row["prev"] or b"", row["hash"] or b""  # somebody may have allowed NULL where there was none
    flaw = "" if event_hash(row, prev) == link else "the event does not have the hash that it was chained with"
    return Link(row["seq"], prev, link, "", b"", flaw)
