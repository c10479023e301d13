"""Labels: what people say of decisions, from which a tenant's own head learns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from detectors.errors import StorageError
from detectors.types import ATTACK, Direction
from storage.postgres import Database, Row
from storage.types import Role

_FIND: Final = "SELECT attack, made_by, made_at FROM public.decision_labels WHERE id = $1"
_TAKE_BACK: Final = "DELETE FROM public.decision_labels WHERE id = $1 RETURNING true"
_SAY: Final = """
INSERT INTO public.decision_labels (id, tenant_id, attack, made_by) VALUES ($1, $2, $3, $4)
ON CONFLICT (id) DO UPDATE SET attack = excluded.attack, made_at = now(), made_by = excluded.made_by
"""
# A review that a person has decided says as much: that it was no attack, or, where an attack in the request was found,
# that it was one. A label says it of the same decision on purpose.
_SAID: Final = """
WITH said AS (
    SELECT id, opened_at, attack, made_at AS at FROM public.decision_labels WHERE tenant_id = $1
    UNION ALL
    SELECT r.id, r.opened_at, r.status = 'rejected', r.decided_at FROM public.reviews AS r
    WHERE r.tenant_id = $1 AND (r.status = 'released' OR (r.status = 'rejected' AND EXISTS (
            SELECT FROM jsonb_array_elements(r.findings) AS found WHERE found ->> 'category' = ANY ($3::text[])
        )))
        AND NOT EXISTS (SELECT FROM public.decision_labels AS l WHERE l.id = r.id)
)
SELECT d.id::text AS id, d.dialect, d.route, d.scores::text AS scores, s.attack
FROM said AS s JOIN public.decisions AS d ON d.opened_at = s.opened_at AND d.id = s.id
WHERE d.tenant_id = $1 ORDER BY s.at DESC, d.id LIMIT $2
"""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A decision of which somebody said what it was. `pointers` lead to where attacks were found in its request."""

    id: str
    dialect: str
    route: str
    attack: bool
    pointers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Label:
    """What somebody said of a decision."""

    attack: bool
    made_by: str
    made_at: datetime


class Labels:
    """Whoever changes one notes it in the admin audit."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def say(self, tenant_id: int, decision_id: str, *, attack: bool, by: str) -> None:
        """Label a tenant's decision, in place of what was said of it before.

        Raises StorageError where nothing of its text is kept to learn from, so also for a decision that is not there.
        """
        id_ = _uuid(decision_id)
        async with self._database.transaction(Role.APP, tenant_id) as connection:
            if not await connection.fetchval("SELECT private.keeps_text($1)", id_):
                raise StorageError(
                    f"{id_}: its text is not kept as it was, so nothing can be learned from it; "
                    "with `audit: {store: encrypted}` that of later requests is"
                )
            await connection.execute(_SAY, id_, tenant_id, attack, by)

    async def take_back(self, tenant_id: int, decision_id: str) -> bool:
        """Forget what was said of a tenant's decision; tell whether anything was. Raises StorageError."""
        async with self._database.transaction(Role.APP, tenant_id) as connection:
            return bool(await connection.fetchval(_TAKE_BACK, _uuid(decision_id)))

    async def find(self, tenant_id: int, decision_id: str) -> Label | None:
        """Return what is said of a tenant's decision. Raises StorageError."""
        async with self._database.transaction(Role.APP, tenant_id) as connection:
            row = await connection.fetchrow(_FIND, _uuid(decision_id))
        return None if row is None else Label(**dict(row.items()))

    async def said(self, tenant_id: int, most: int) -> Sequence[Labelled]:
        """Return a tenant's labelled decisions, reviews that were decided among them, the newest first."""
        async with self._database.transaction(Role.APP, tenant_id) as connection:
            return [_labelled(row) for row in await connection.fetch(_SAID, tenant_id, most, sorted(ATTACK))]

    async def expire(self) -> int:
        """Forget labels of decisions whose text is gone; return how many. Raises StorageError."""
        async with self._database.transaction(Role.APP) as connection:
            gone: int = await connection.fetchval("SELECT private.expire_labels()")
        return gone


def _uuid(decision_id: str) -> UUID:
    try:
        return UUID(decision_id)
    except ValueError as exc:
        raise StorageError("a decision's id is a UUID") from exc


def _labelled(row: Row) -> Labelled:
    scores: list[dict[str, Any]] = orjson.loads(row["scores"])
    found = [score for score in scores if score["direction"] == Direction.REQUEST and score["category"] in ATTACK]
    pointers = frozenset(score["pointer"] for score in found)
    return Labelled(row["id"], row["dialect"], row["route"], row["attack"], pointers)
