"""Incidents: opened by a sign or by a person, worked on by people, closed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from detectors.errors import StorageError
from storage.postgres import Connection, Database, Row
from storage.types import Role

CLOSED: Final = frozenset({"resolved", "dismissed"})
_SEVERITIES: Final = ("low", "medium", "high", "critical")
_SHOWN_DECISIONS: Final = 100
_MOST_EVENTS: Final = 500
_LONGEST: Final = 1000  # characters of an event
_SELECT: Final = """
SELECT i.id, i.tenant_id, t.slug AS tenant, i.rule, i.subject, i.title, i.severity, i.status, i.assignee, i.opened_at,
    i.updated_at, i.closed_at, i.decisions
FROM public.incidents AS i JOIN public.tenants AS t ON t.id = i.tenant_id
"""
_PAGE: Final = f"""
{_SELECT} WHERE ($1::bigint IS NULL OR i.tenant_id = $1) AND i.id < $2
AND ($3::text IS NULL OR i.status = $3) AND ($4::text IS NULL OR i.severity = $4)
ORDER BY i.id DESC LIMIT $5
"""
# Not again what was closed while the same sign still stands in the log.
_OPEN: Final = """
INSERT INTO public.incidents (tenant_id, rule, subject, title, severity)
SELECT $1, $2, $3, $4, $5 WHERE NOT EXISTS (
    SELECT FROM public.incidents
    WHERE tenant_id = $1 AND rule = $2 AND subject = $3 AND closed_at > now() - $6::interval
)
ON CONFLICT (tenant_id, rule, subject) WHERE closed_at IS NULL AND rule <> 'manual'
    DO UPDATE SET updated_at = now()
RETURNING id, xmax = 0 AS fresh
"""
_LINK: Final = """
INSERT INTO public.incident_decisions (tenant_id, incident_id, decision)
SELECT $1, $2, d.id FROM public.decisions AS d
WHERE d.tenant_id = $1 AND d.opened_at = private.opened_at($3::uuid) AND d.id = $3::uuid
ON CONFLICT DO NOTHING
"""
_COUNT: Final = """
UPDATE public.incidents SET decisions = (SELECT count(*) FROM public.incident_decisions WHERE incident_id = $2)
WHERE tenant_id = $1 AND id = $2
"""
# What a person has said of it stays: a sign is seen again and again.
_RAISE: Final = """
UPDATE public.incidents AS i SET severity = $3, updated_at = now() FROM public.incidents AS was
WHERE i.tenant_id = $1 AND i.id = $2 AND was.id = i.id AND i.closed_at IS NULL
    AND array_position($4::text[], i.severity) < array_position($4::text[], $3) AND NOT EXISTS (
        SELECT FROM public.incident_events
        WHERE tenant_id = $1 AND incident_id = $2 AND event = 'severity' AND actor <> $5
    )
RETURNING was.severity
"""
_OTHER: Final = """
SELECT id FROM public.incidents
WHERE tenant_id = $1 AND rule = $2 AND subject = $3 AND id <> $4 AND closed_at IS NULL AND rule <> 'manual'
"""
_EVENT: Final = (
    "INSERT INTO public.incident_events (tenant_id, incident_id, actor, event, text) VALUES ($1, $2, $3, $4, $5)"
)


@dataclass(frozen=True, slots=True)
class Incident:
    """`subject` is `key 12`, `session <keyed hash>`, or empty; times are aware."""

    id: int
    tenant_id: int
    tenant: str
    rule: str
    subject: str
    title: str
    severity: str
    status: str
    assignee: str
    opened_at: datetime
    updated_at: datetime
    closed_at: datetime | None
    decisions: int


@dataclass(frozen=True, slots=True)
class IncidentEvent:
    at: datetime
    actor: str
    event: str
    text: str


@dataclass(frozen=True, slots=True)
class Sign:
    """What opens an incident. `decisions` are ids of some that show it."""

    tenant_id: int
    rule: str
    subject: str
    title: str
    severity: str
    decisions: tuple[str, ...] = ()


class IncidentStore:
    """Reads as the platform, or with a `tenant_id` as that tenant; writes as the tenant that an incident is of."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, tenant_id: int | None, *, before: int, limit: int, status: str | None, severity: str | None
    ) -> tuple[Incident, ...]:
        """Return incidents with smaller ids than `before`, newest first."""
        async with self._database.transaction(_reading(tenant_id), tenant_id) as connection:
            rows = await connection.fetch(_PAGE, tenant_id, before, status, severity, limit)
        return tuple(_incident(row) for row in rows)

    async def find(self, incident_id: int, tenant_id: int | None) -> Incident | None:
        sql = f"{_SELECT} WHERE i.id = $1 AND ($2::bigint IS NULL OR i.tenant_id = $2)"
        async with self._database.transaction(_reading(tenant_id), tenant_id) as connection:
            row = await connection.fetchrow(sql, incident_id, tenant_id)
        return None if row is None else _incident(row)

    async def timeline(self, incident: Incident) -> tuple[IncidentEvent, ...]:
        """Return what happened, oldest first, at most the newest five hundred."""
        async with self._database.transaction(Role.APP, incident.tenant_id) as connection:
            rows = await connection.fetch(
                "SELECT at, actor, event, text FROM public.incident_events"
                " WHERE tenant_id = $1 AND incident_id = $2 ORDER BY id DESC LIMIT $3",
                *(incident.tenant_id, incident.id, _MOST_EVENTS),
            )
        return tuple(IncidentEvent(**dict(row.items())) for row in reversed(rows))

    async def decisions_of(self, incident: Incident) -> tuple[str, ...]:
        """Return the ids of the newest hundred decisions that are linked."""
        async with self._database.transaction(Role.APP, incident.tenant_id) as connection:
            rows = await connection.fetch(
                "SELECT decision::text AS id FROM public.incident_decisions"
                " WHERE tenant_id = $1 AND incident_id = $2 ORDER BY decision DESC LIMIT $3",
                *(incident.tenant_id, incident.id, _SHOWN_DECISIONS),
            )
        return tuple(row["id"] for row in rows)

    async def open(self, sign: Sign, actor: str, quiet: timedelta = timedelta()) -> tuple[int, bool] | None:
        """Open an incident, or go on with the live one of the same sign; return its id and whether it is new.

        None if one of that sign was closed less than `quiet` ago.
        """
        async with self._database.transaction(Role.APP, sign.tenant_id) as connection:
            row = await connection.fetchrow(
                _OPEN, sign.tenant_id, sign.rule, sign.subject, sign.title, sign.severity, quiet
            )
            if row is None:
                return None
            incident_id: int = row["id"]
            if row["fresh"]:
                await connection.execute(_EVENT, sign.tenant_id, incident_id, actor, "opened", sign.title)
            await _link(connection, sign.tenant_id, incident_id, sign.decisions)
        return incident_id, bool(row["fresh"])

    async def raise_severity(self, incident_id: int, sign: Sign, actor: str) -> bool:
        """Make a live incident as severe as a sign that stands for it now, unless a person has said how severe it is;
        tell whether that changed it.
        """
        async with self._database.transaction(Role.APP, sign.tenant_id) as connection:
            own = (sign.tenant_id, incident_id)
            before = await connection.fetchval(_RAISE, *own, sign.severity, list(_SEVERITIES), actor)
            if before is not None:
                text = f"{before} -> {sign.severity}: {sign.title}"[:_LONGEST]
                await connection.execute(_EVENT, *own, actor, "severity", text)
        return before is not None

    async def change(
        self, incident: Incident, actor: str, changes: Mapping[str, str], note: str | None, decisions: Sequence[str]
    ) -> None:
        """Give an incident another status, severity or assignee; each change stands in its timeline.

        What is not named stays as it is by now. Raises StorageError where it is gone, or where it would be opened
        again beside another one of the same sign.
        """
        async with self._database.transaction(Role.APP, incident.tenant_id) as connection:
            own = (incident.tenant_id, incident.id)
            now = await connection.fetchrow(f"{_SELECT} WHERE i.tenant_id = $1 AND i.id = $2 FOR UPDATE OF i", *own)
            if now is None:
                raise StorageError("there is no such incident")
            for name, value in changes.items():
                if value != now[name]:
                    await connection.execute(_EVENT, *own, actor, name, f"{now[name] or '-'} -> {value or '-'}")
            if note is not None:
                await connection.execute(_EVENT, *own, actor, "note", note)
            new = {name: changes.get(name, now[name]) for name in ("status", "severity", "assignee")}
            if new["status"] not in CLOSED and now["closed_at"] is not None:
                other = await connection.fetchval(_OTHER, now["tenant_id"], now["rule"], now["subject"], now["id"])
                if other is not None:
                    raise StorageError(f"incident {other} is open for the same sign: go on there")
            await connection.execute(
                "UPDATE public.incidents SET status = $3, severity = $4, assignee = $5, updated_at = now(),"
                " closed_at = CASE WHEN $6 THEN coalesce(closed_at, now()) END WHERE tenant_id = $1 AND id = $2",
                *(*own, *new.values(), new["status"] in CLOSED),
            )
            added = await _link(connection, *own, decisions)
            if added:
                await connection.execute(_EVENT, *own, actor, "decisions", f"{added} linked")


async def _link(connection: Connection, tenant_id: int, incident_id: int, decisions: Sequence[str]) -> int:
    """Link decisions of the tenant, and only those; return how many came new."""
    done = [await connection.execute(_LINK, tenant_id, incident_id, UUID(one)) for one in decisions]
    if done:
        await connection.execute(_COUNT, tenant_id, incident_id)
    return sum(status.endswith(" 1") for status in done)


def _reading(tenant_id: int | None) -> Role:
    return Role.READER if tenant_id is None else Role.APP


def _incident(row: Row) -> Incident:
    return Incident(**dict(row.items()))
