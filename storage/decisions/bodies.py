"""Stored bodies and subjects in Postgres: the statements that ship them with their decisions, and reading bodies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from detectors.errors import StorageError, UnavailableError
from storage.keys.data_keys import DataKeys
from storage.keys.sealed_body import BodyPlace, SealedBody, unseal
from storage.postgres import Database, Row
from storage.types import Role

ERASING_LOCK: Final = 0x70735F6572617365  # "ps_erase"; private.erasing_lock() says the same

# Before the rows of pg_temp.incoming are inserted: what somebody asked to be erased while it was still in a journal.
# The lock first, by a statement of its own, so that the next one sees every erasure that was committed before it.
FORGET_ERASED: Final = f"""
SELECT pg_advisory_xact_lock_shared({ERASING_LOCK});
UPDATE pg_temp.incoming AS i
SET personal = NULL, bodies = '[]', subjects = ARRAY(
    SELECT sent FROM unnest(i.subjects) AS sent
    WHERE NOT EXISTS (
        SELECT FROM private.erasures AS e
        WHERE e.tenant_id = i.tenant_id AND e.subject = decode(sent, 'hex') AND i.opened_at <= e.until
    )
)
WHERE i.id IN (
    SELECT late.id
    FROM pg_temp.incoming AS late
    CROSS JOIN LATERAL unnest(late.subjects) AS sent
    JOIN private.erasures AS e ON e.tenant_id = late.tenant_id AND e.subject = decode(sent, 'hex')
    WHERE late.opened_at <= e.until
)
"""  # noqa: S608 - a number of our own

# After that, in the same transaction, when pg_temp.incoming holds exactly the rows that were inserted.
ADD_BODIES: Final = """
INSERT INTO public.bodies (until, opened_at, id, tenant_id, direction, form, generation, nonce, ciphertext, cut)
SELECT (body ->> 'until')::date, i.opened_at, i.id, i.tenant_id, body ->> 'direction', body ->> 'form',
    (body ->> 'key')::integer, decode(body ->> 'nonce', 'base64'), decode(body ->> 'data', 'base64'),
    (body ->> 'cut')::boolean
FROM pg_temp.incoming AS i CROSS JOIN LATERAL jsonb_array_elements(i.bodies) AS body
WHERE i.bodies <> '[]'
ON CONFLICT DO NOTHING;
INSERT INTO public.decision_subjects (tenant_id, subject, opened_at, id)
SELECT i.tenant_id, decode(sent, 'hex'), i.opened_at, i.id
FROM pg_temp.incoming AS i CROSS JOIN LATERAL unnest(i.subjects) AS sent
ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True, repr=False)
class Body:
    """A stored body as it was: `text` of one direction, or None with the reason why it cannot be read any more."""

    decision_id: str
    direction: str
    form: str
    cut: bool
    text: str | None
    problem: str = ""


async def read_bodies(database: Database, data_keys: DataKeys, decision_id: str, *, actor: str) -> tuple[Body, ...]:
    """Return the bodies kept of one decision, the request first; `actor` is noted in the admin audit, also for none.

    Raises StorageError if `decision_id` is no id, UnavailableError if a key cannot be had at the moment.
    """
    async with database.transaction(Role.READER) as connection:
        tenant_id = await connection.fetchval(
            "SELECT tenant_id FROM public.decisions WHERE opened_at = private.opened_at($1) AND id = $1",
            _decision_id(decision_id),
        )
    if tenant_id is None:
        return ()
    return await read_bodies_of_tenant(database, data_keys, tenant_id, [decision_id], actor=actor, reason="show")


async def read_bodies_of_tenant(
    database: Database, data_keys: DataKeys, tenant_id: int, decision_ids: Sequence[str], *, actor: str, reason: str
) -> tuple[Body, ...]:
    """Like `read_bodies`, of several decisions of one tenant, oldest first; those of other tenants are not found."""
    async with database.transaction(Role.APP, tenant_id) as connection:
        rows = await connection.fetch(
            "SELECT * FROM private.read_bodies($1, $2, $3)", [_decision_id(one) for one in decision_ids], actor, reason
        )
    return tuple([await _opened(data_keys, tenant_id, row) for row in rows])


async def _opened(data_keys: DataKeys, tenant_id: int, row: Row) -> Body:
    place = BodyPlace(str(row["id"]), row["direction"], row["form"])
    sealed = SealedBody(place, row["generation"], row["nonce"], row["ciphertext"], row["cut"])
    try:
        plain = unseal(sealed, await data_keys.find(tenant_id, sealed.generation))
    except UnavailableError:
        raise
    except StorageError as exc:
        return Body(place.decision_id, place.direction, place.form, sealed.cut, None, str(exc))
    return Body(place.decision_id, place.direction, place.form, sealed.cut, plain.decode(errors="replace"))


def _decision_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as exc:
        raise StorageError("a decision's id is a UUID") from exc
