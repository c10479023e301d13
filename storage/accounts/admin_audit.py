"""What administrators did: written once, read by page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from storage.postgres import Database, Row
from storage.types import Role

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One event. `seq` numbers them without a gap; `details` holds before, after and where from, as far as known."""

    seq: int
    at: datetime
    actor: str
    action: str
    tenant_id: int | None
    target: str
    details: JsonObject


@dataclass(frozen=True, slots=True)
class Sought:
    """Which events: None or empty is any. `actions` may end in `*`; `before` is a `seq`, [since, until) times."""

    tenant_id: int | None = None
    actor: str = ""
    action: str = ""
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None


class AdminAudit:
    """The book. The database itself makes each entry a link of its chain (migration 0020)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, actor: str, action: str, tenant_id: int | None, target: str, details: JsonObject) -> None:
        """Write an event down. Raises StorageError if that cannot be done."""
        async with self._database.transaction(Role.ACCESS) as connection:
            await connection.execute(
                "INSERT INTO private.admin_audit (actor, action, tenant_id, target, details)"
                " VALUES ($1, $2, $3, $4, $5)",
                *(actor, action, tenant_id, target, orjson.dumps(details).decode()),
            )

    async def list(self, sought: Sought, limit: int = 50) -> Sequence[AuditEvent]:
        """Return events, the newest first."""
        async with self._database.transaction(Role.READER) as connection:
            rows = await connection.fetch(
                "SELECT seq, at, actor, action, tenant_id, target, details::text AS details FROM private.admin_audit"
                " WHERE ($1::bigint IS NULL OR tenant_id = $1) AND ($2 = '' OR actor = $2)"
                " AND ($3 = '' OR action = $3 OR (right($3, 1) = '*' AND starts_with(action, left($3, -1))))"
                " AND ($4::timestamptz IS NULL OR at >= $4) AND ($5::timestamptz IS NULL OR at < $5)"
                " AND ($6::bigint IS NULL OR seq < $6) ORDER BY seq DESC LIMIT $7",
                *(sought.tenant_id, sought.actor, sought.action, sought.since, sought.until, sought.before, limit),
            )
        return tuple(_event(row) for row in rows)


def _event(row: Row) -> AuditEvent:
    columns = dict(row.items())
    return AuditEvent(**(columns | {"details": orjson.loads(columns["details"])}))
