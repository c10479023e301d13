"""Signs of incidents in the decision log: many blocks at once, one that is blocked again and again, leaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from storage.incidents import Sign
from storage.postgres import Connection, Database
from storage.types import Role

_MOST: Final = 100  # signs of one kind for one tenant
_SHOWN: Final = 20  # decisions of one sign
_DAY: Final = 86_400.0
# Who had a block lately, out of the sums; whoever had none costs nothing.
_BLOCKED: Final = """
SELECT tenant_id, sum(blocked)::bigint AS blocked FROM public.rollups
WHERE grain = 'minute' AND dimension = 'all' AND at >= date_trunc('minute', now() - $1::interval)
GROUP BY tenant_id HAVING sum(blocked) > 0 ORDER BY tenant_id
"""
_USUAL: Final = """
SELECT tenant_id, sum(blocked)::float8 AS blocked FROM public.rollups
WHERE grain = 'hour' AND dimension = 'all' AND tenant_id = ANY ($1::bigint[])
    AND at >= date_trunc('hour', now(), 'UTC') - interval '24 hours' AND at < date_trunc('hour', now(), 'UTC')
GROUP BY tenant_id
"""
# Who had a finding lately; the sums know a decision's first category alone, and a credential may be another one.
_LEAKING: Final = """
SELECT DISTINCT tenant_id FROM public.rollups
WHERE grain = 'hour' AND dimension = 'category' AND value <> ''
    AND at >= date_trunc('hour', now() - $1::interval, 'UTC')
ORDER BY tenant_id
"""
_BY_KEY: Final = """
SELECT key_id, count(*) AS blocks, (array_agg(id::text ORDER BY opened_at DESC))[1:$4] AS decisions
FROM public.decisions
WHERE tenant_id = $1 AND outcome IN ('blocked_request', 'blocked_response') AND opened_at >= now() - $2::interval
    AND key_id IS NOT NULL
GROUP BY key_id HAVING count(*) >= $3 ORDER BY count(*) DESC LIMIT $5
"""
_BY_SUBJECT: Final = """
SELECT encode(s.subject, 'hex') AS subject, count(*) AS blocks,
    (array_agg(d.id::text ORDER BY d.opened_at DESC))[1:$4] AS decisions
FROM public.decisions AS d JOIN public.decision_subjects AS s
    ON s.tenant_id = d.tenant_id AND s.opened_at = d.opened_at AND s.id = d.id
WHERE d.tenant_id = $1 AND d.outcome IN ('blocked_request', 'blocked_response')
    AND d.opened_at >= now() - $2::interval AND s.opened_at >= now() - $2::interval
GROUP BY s.subject HAVING count(*) >= $3 ORDER BY count(*) DESC LIMIT $5
"""
# By the few minutes, and not by the index of findings, in which there is a whole day of them.
_LEAKS: Final = """
SELECT d.id::text AS id, d.response_action IN ('mask', 'block', 'pseudonymise') AS stopped FROM public.decisions AS d
WHERE d.tenant_id = $1 AND d.opened_at >= now() - $2::interval AND d.scores <> '[]'
    AND d.scores @> '[{"direction": "response", "category": "credential"}]'
ORDER BY d.opened_at DESC, d.id DESC LIMIT $3
"""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When a sign is one. A spike: `least` blocks within `window`, and `times` as many as usual.

    Repeated: so many blocks of one key, or of one session, within `window`.
    """

    window: timedelta = timedelta(minutes=10)
    least: int = 20
    times: float = 5.0
    of_key: int = 20
    of_session: int = 8


class IncidentSigns:
    """Looks at the sums of all tenants, and at the decisions of those only who have something to look at."""

    def __init__(self, database: Database, thresholds: Thresholds) -> None:
        self._database, self._thresholds = database, thresholds

    async def look(self) -> tuple[Sign, ...]:
        """Return every sign that stands in the log now. Raises StorageError."""
        window = self._thresholds.window
        async with self._database.transaction(Role.READER) as connection:
            blocked = {row["tenant_id"]: row["blocked"] for row in await connection.fetch(_BLOCKED, window)}
            usual = {row["tenant_id"]: row["blocked"] for row in await connection.fetch(_USUAL, list(blocked))}
            leaking = [row["tenant_id"] for row in await connection.fetch(_LEAKING, window)]
        found: list[Sign] = []
        for tenant_id, count in blocked.items():
            found += self._spike(tenant_id, count, usual.get(tenant_id, 0.0))
        fewest = min(self._thresholds.of_key, self._thresholds.of_session)
        for tenant_id in [tenant_id for tenant_id, count in blocked.items() if count >= fewest]:
            async with self._database.transaction(Role.APP, tenant_id) as connection:
                found += await self._repeated(connection, tenant_id)
        for tenant_id in leaking:
            async with self._database.transaction(Role.APP, tenant_id) as connection:
                found += await self._leaks(connection, tenant_id)
        return tuple(found)

    def _spike(self, tenant_id: int, blocked: int, last_day: float) -> Sequence[Sign]:
        known = self._thresholds
        expected = last_day * known.window.total_seconds() / _DAY
        if blocked < known.least or blocked < known.times * expected:
            return ()
        title = f"{blocked} blocks in {_minutes(known.window)} minutes, {expected:.1f} are usual"
        return (Sign(tenant_id, "block_spike", "", title, "high" if blocked >= 10 * known.least else "medium"),)

    async def _repeated(self, connection: Connection, tenant_id: int) -> Sequence[Sign]:
        known = self._thresholds
        by_key = await connection.fetch(_BY_KEY, tenant_id, known.window, known.of_key, _SHOWN, _MOST)
        by_subject = await connection.fetch(_BY_SUBJECT, tenant_id, known.window, known.of_session, _SHOWN, _MOST)
        named = [(f"key {row['key_id']}", f"key {row['key_id']}", row) for row in by_key]
        # Whose it was stands in one place, where an erasure finds it: not in titles, events and notices.
        named += [(f"session {row['subject']}", "one session", row) for row in by_subject]
        return [
            Sign(
                tenant_id,
                "repeated_blocks",
                subject,
                f"{row['blocks']} blocks of {shown} in {_minutes(known.window)} minutes",
                "medium",
                tuple(row["decisions"]),
            )
            for subject, shown, row in named
        ]

    async def _leaks(self, connection: Connection, tenant_id: int) -> Sequence[Sign]:
        rows = await connection.fetch(_LEAKS, tenant_id, self._thresholds.window, _SHOWN)
        if not rows:
            return ()
        passed = sum(not row["stopped"] for row in rows)
        title = f"credentials in {len(rows)} answers, {passed} of which were let through"
        severity = "critical" if passed else "high"
        return (Sign(tenant_id, "credential_leak", "", title, severity, tuple(row["id"] for row in rows)),)


def _minutes(window: timedelta) -> int:
    return round(window.total_seconds() / 60)
