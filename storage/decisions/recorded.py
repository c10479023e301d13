"""A tenant's decisions as material to decide again: oldest first, the few columns that takes, page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from storage.postgres import Database, Row
from storage.types import Role

PAGE: Final = 20_000
_FIRST: Final = UUID(int=0)
_WEEK: Final = timedelta(weeks=1)
# Answered as it was asked: nothing was found, excused, left unread or failed, so whatever the policy, it is again;
# and no judge was paid for it.
_QUIET: Final = """
    d.scores = '[]' AND NOT d.scores_overflow AND d.degraded = '{}' AND d.intended_action = 'allow'
    AND d.outcome NOT IN ('rejected', 'internal_error') AND d.coverage <> '{}'
    AND d.coverage::text NOT LIKE '%"unscanned": {"%' AND NOT d.coverage ? 'judges'
"""
# The plain comparison beside that of rows is the one that leaves out whole partitions.
_NEXT: Final = """
SELECT d.id::text AS id, d.opened_at, extract(epoch FROM d.opened_at)::float8 AS at, d.app_id, d.key_id, d.dialect,
    d.route, d.model, d.upstream, d.streaming, d.personal ->> 'network' AS network, d.outcome, d.intended_action,
    d.scores::text AS scores, d.scores_overflow, d.facts::text AS facts, d.coverage::text AS coverage, d.degraded,
    d.policy_id, d.policy_revision, d.digests <> '{{}}' AS hashed
FROM public.decisions AS d
WHERE d.tenant_id = $1 AND d.opened_at >= $2 AND (d.opened_at, d.id) > ($2, $3) AND d.opened_at < $4
    AND NOT ({0})
ORDER BY d.opened_at, d.id LIMIT $5
"""
_COUNT: Final = f"""
SELECT d.app_id, d.policy_id, count(*) AS decisions FROM public.decisions AS d
WHERE d.tenant_id = $1 AND d.opened_at >= $2 AND d.opened_at < $3 AND {_QUIET} GROUP BY d.app_id, d.policy_id
"""  # noqa: S608 - nothing in it comes from outside
_APPS: Final = "SELECT id, name FROM public.apps WHERE tenant_id = $1"


async def recorded_decisions(
    database: Database,
    tenant_id: int,
    since: datetime,
    until: datetime | None = None,
    page: int = PAGE,
    *,
    quiet: bool = True,
) -> AsyncIterator[list[tuple[Row, str]]]:
    """Yield pages of a tenant's decisions opened from `since` to before `until` (now), each with its app's name;
    without `quiet`, only those that another policy could decide otherwise.

    Each page is a transaction of its own, so that a replay of hours holds up neither vacuum nor retention.
    """
    after, last, end = since, _FIRST, until or datetime.now(UTC)
    wanted, apps = _NEXT.format("false" if quiet else _QUIET), await _apps(database, tenant_id)
    while True:
        async with database.transaction(Role.READER) as connection:
            rows = await connection.fetch(wanted, tenant_id, after, last, end, page)
        if rows:
            yield [(row, apps.get(row["app_id"], "")) for row in rows]
            after, last = rows[-1]["opened_at"], UUID(rows[-1]["id"])
        if len(rows) < page:
            return


async def quiet_decisions(
    database: Database, tenant_id: int, since: datetime, until: datetime
) -> AsyncIterator[tuple[str, str, int]]:
    """Yield how many decisions need not be made again: app, policy, count; for a week at a time."""
    apps = await _apps(database, tenant_id)
    while since < until:
        end = min(since + _WEEK, until)
        async with database.transaction(Role.READER) as connection:
            rows = await connection.fetch(_COUNT, tenant_id, since, end)
        for row in rows:
            yield apps.get(row["app_id"], ""), row["policy_id"], row["decisions"]
        since = end


async def _apps(database: Database, tenant_id: int) -> dict[int, str]:
    async with database.transaction(Role.READER) as connection:
        return {row["id"]: row["name"] for row in await connection.fetch(_APPS, tenant_id)}
