"""A tenant's decisions as material to decide again: oldest first, the few columns that takes, page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from storage.postgres import Database, Row
from storage.types import Role

PAGE: Final = 20_000
_FIRST: Final = UUID(int=0)
# The plain comparison beside that of rows is the one that leaves out whole partitions.
_NEXT: Final = """
SELECT d.id::text AS id, d.opened_at, extract(epoch FROM d.opened_at)::float8 AS at, d.app_id, d.key_id, d.dialect,
    d.route, d.model, d.upstream, d.streaming, d.personal ->> 'network' AS network, d.outcome, d.intended_action,
    d.scores::text AS scores, d.scores_overflow, d.facts::text AS facts, d.coverage::text AS coverage, d.degraded,
    d.policy_id, d.policy_revision
FROM public.decisions AS d
WHERE d.tenant_id = $1 AND d.opened_at >= $2 AND (d.opened_at, d.id) > ($2, $3) AND d.opened_at < $4
ORDER BY d.opened_at, d.id LIMIT $5
"""
_APPS: Final = "SELECT id, name FROM public.apps WHERE tenant_id = $1"


async def recorded_decisions(
    database: Database, tenant_id: int, since: datetime, until: datetime | None = None, page: int = PAGE
) -> AsyncIterator[list[tuple[Row, str]]]:
    """Yield pages of a tenant's decisions opened from `since` to before `until` (now), each with its app's name.

    Each page is a transaction of its own, so that a replay of hours holds up neither vacuum nor retention.
    """
    after, last, end = since, _FIRST, until or datetime.now(UTC)
    async with database.transaction(Role.READER) as connection:
        apps = {row["id"]: row["name"] for row in await connection.fetch(_APPS, tenant_id)}
    while True:
        async with database.transaction(Role.READER) as connection:
            rows = await connection.fetch(_NEXT, tenant_id, after, last, end, page)
        if rows:
            yield [(row, apps.get(row["app_id"], "")) for row in rows]
            after, last = rows[-1]["opened_at"], UUID(rows[-1]["id"])
        if len(rows) < page:
            return
