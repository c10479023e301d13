"""The review queue: what policies stopped and a person is to look at, and what was let pass after a look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import orjson

from detectors.errors import StorageError
from storage.postgres import Database, Row
from storage.types import Role

# In the transaction that stores the decisions, when pg_temp.incoming holds exactly those that are new.
ADD_REVIEWS: Final = """
INSERT INTO public.reviews (id, opened_at, tenant_id, app_id, policy_id, policy_revision, findings, until)
SELECT i.id, i.opened_at, i.tenant_id, i.app_id, i.policy_id, i.policy_revision,
    coalesce(
        (SELECT jsonb_agg(jsonb_build_object(
            'rule', s -> 'rule', 'content', s -> 'content', 'origin', s -> 'origin', 'pointer', s -> 'pointer',
            'category', s -> 'category', 'policy_rule', s -> 'policy_rule'
        )) FROM jsonb_array_elements(i.scores) AS s WHERE s ->> 'action' = 'block'),
        '[]'
    ),
    (i.facts -> 'review' ->> 'until')::date
FROM pg_temp.incoming AS i WHERE i.facts ? 'review'
ON CONFLICT DO NOTHING
"""
_LISTED: Final = """
SELECT r.id::text, r.opened_at, r.tenant_id, t.slug AS tenant, r.policy_id, r.policy_revision, r.findings, r.status,
    r.decided_by, r.reason, r.released_until, r.until
FROM public.reviews AS r JOIN public.tenants AS t ON t.id = r.tenant_id
WHERE ($1::text IS NULL OR t.slug = $1) AND ($2::text IS NULL OR r.status = $2) AND ($3::uuid IS NULL OR r.id = $3)
    AND ($5::bigint IS NULL OR r.tenant_id = $5)
    AND ($6::uuid IS NULL OR (r.opened_at, r.id) > (private.opened_at($6), $6))
ORDER BY r.opened_at, r.id LIMIT $4
"""
_RELEASED: Final = """
SELECT tenant_id, released_until, decided_by, reason, found ->> 'rule' AS rule, found ->> 'content' AS content
FROM public.reviews CROSS JOIN LATERAL jsonb_array_elements(findings) AS found
WHERE status = 'released' AND released_until >= (now() AT TIME ZONE 'UTC')::date
    AND found ->> 'content' NOT IN ('', 'hmac:')  -- found in no text of its own
"""


class ReviewStatus(StrEnum):
    OPEN = "open"
    RELEASED = "released"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Review:
    """One decision that waits for a person, or that one has looked at. Findings hold no text."""

    id: str
    opened_at: datetime
    tenant_id: int
    tenant: str
    policy_id: str
    policy_revision: str
    findings: Sequence[Mapping[str, Any]]
    status: ReviewStatus
    decided_by: str
    reason: str
    released_until: date | None
    until: date


@dataclass(frozen=True, slots=True)
class Release:
    """What passes again: findings of a rule in a text (a keyed hash, hex), until and including a day (UTC)."""

    tenant_id: int
    rule: str
    content: str
    until: date
    owner: str
    reason: str


class ReviewQueue:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(
        self, tenant: str | None = None, status: ReviewStatus | None = ReviewStatus.OPEN, limit: int = 100
    ) -> tuple[Review, ...]:
        """Return reviews, the longest waiting first. Raises StorageError."""
        return await self._listed(tenant, status, None, limit)

    async def page(
        self, tenant_id: int | None, status: ReviewStatus | None, limit: int, after: str | None
    ) -> tuple[Review, ...]:
        """Return reviews behind that of the decision `after`, the longest waiting first; of one tenant, or of all.

        Raises StorageError, also where `after` is no id.
        """
        return await self._listed(None, status, None, limit, tenant_id, None if after is None else _uuid(after))

    async def find(self, decision_id: str, tenant_id: int | None = None) -> Review | None:
        """Return the review of a decision, of that tenant if one is given. Raises StorageError, also for no id."""
        found = await self._listed(None, None, _uuid(decision_id), 1, tenant_id)
        return found[0] if found else None

    async def release(self, decision_id: str, *, actor: str, reason: str, until: date) -> None:
        """Let what stopped a decision pass until and including a day, for its tenant. Raises StorageError."""
        await self._decide(decision_id, ReviewStatus.RELEASED, actor, reason, until)

    async def reject(self, decision_id: str, *, actor: str, reason: str) -> None:
        """Say that the policy was right. Raises StorageError."""
        await self._decide(decision_id, ReviewStatus.REJECTED, actor, reason, None)

    async def released(self) -> tuple[Release, ...]:
        """Return all that may pass again today, of every tenant. Raises StorageError."""
        async with self._database.transaction(Role.READER) as connection:
            rows = await connection.fetch(_RELEASED)
        return tuple(
            Release(
                row["tenant_id"],
                row["rule"],
                row["content"].removeprefix("hmac:"),
                row["released_until"],
                row["decided_by"],
                row["reason"],
            )
            for row in rows
        )

    async def expire(self) -> int:
        """Forget reviews that have had their time; return how many. Raises StorageError."""
        async with self._database.transaction(Role.APP) as connection:
            gone: int = await connection.fetchval("SELECT private.expire_reviews()")
        return gone

    async def _listed(
        self,
        tenant: str | None,
        status: ReviewStatus | None,
        id_: UUID | None,
        limit: int,
        tenant_id: int | None = None,
        after: UUID | None = None,
    ) -> tuple[Review, ...]:
        role = Role.READER if tenant_id is None else Role.APP  # as a tenant the database shows nobody else's
        async with self._database.transaction(role, tenant_id) as connection:
            rows = await connection.fetch(_LISTED, tenant, status, id_, limit, tenant_id, after)
        return tuple(_review(row) for row in rows)

    async def _decide(
        self, decision_id: str, status: ReviewStatus, actor: str, reason: str, until: date | None
    ) -> None:
        async with self._database.transaction(Role.APP) as connection:
            done: bool = await connection.fetchval(
                "SELECT private.decide_review($1, $2, $3, $4, $5)", _uuid(decision_id), status, actor, reason, until
            )
        if not done:
            raise StorageError(f"no open review of decision {decision_id}")


def _review(row: Row) -> Review:
    findings = row["findings"]
    return Review(
        id=row["id"],
        opened_at=row["opened_at"],
        tenant_id=row["tenant_id"],
        tenant=row["tenant"],
        policy_id=row["policy_id"],
        policy_revision=row["policy_revision"],
        findings=orjson.loads(findings) if isinstance(findings, str) else findings,
        status=ReviewStatus(row["status"]),
        decided_by=row["decided_by"] or "",
        reason=row["reason"] or "",
        released_until=row["released_until"],
        until=row["until"],
    )


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as exc:
        raise StorageError("a decision's id is a UUID") from exc
