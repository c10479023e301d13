"""What of recent exchanges nobody looked at, counted over the newest decisions, so that it always costs the same."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from storage.postgres import Database
from storage.types import Role

NEWEST: Final = 2000
_COUNTED: Final = """
WITH newest AS MATERIALIZED (
    SELECT coverage, degraded FROM public.decisions
    WHERE opened_at >= $1{whose} ORDER BY opened_at DESC, id DESC LIMIT {newest}
), gaps AS (
    SELECT reason, count(*) AS decisions FROM newest, LATERAL (
        SELECT jsonb_object_keys(coverage -> 'request' -> 'unscanned')
        UNION SELECT jsonb_object_keys(coverage -> 'response' -> 'unscanned')
        UNION SELECT unnest(degraded)
    ) AS each (reason) GROUP BY reason
)
SELECT (SELECT count(*) FROM newest) AS looked_at, reason, decisions
FROM (SELECT 1) AS once LEFT JOIN gaps ON true ORDER BY decisions DESC NULLS LAST, reason
"""


@dataclass(frozen=True, slots=True)
class CoverageGaps:
    """`by_reason`: why texts were not looked at, or which detector could not, and in how many decisions; most first."""

    looked_at: int
    by_reason: tuple[tuple[str, int], ...]


async def coverage_gaps(database: Database, tenant_id: int | None, since: datetime) -> CoverageGaps:
    """Count them in the newest decisions since then, of one tenant or of all. Raises StorageError."""
    role = Role.READER if tenant_id is None else Role.APP
    async with database.transaction(role, tenant_id) as connection:
        # Written out, not `$2 IS NULL OR`: the index of a tenant's decisions is to be used for a rare one too.
        whose = "" if tenant_id is None else " AND tenant_id = $2"
        values = [since] if tenant_id is None else [since, tenant_id]
        rows = await connection.fetch(_COUNTED.format(whose=whose, newest=NEWEST), *values)
    found = tuple((row["reason"], row["decisions"]) for row in rows if row["reason"] is not None)
    return CoverageGaps(rows[0]["looked_at"], found)
