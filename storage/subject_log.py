"""Find, export and erase what the decision log holds about one person of a tenant."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import orjson

from detectors.errors import StorageError
from storage.decisions.bodies import Body, read_bodies_of_tenant
from storage.keys.data_keys import DataKeys
from storage.postgres import Connection, Database, Row
from storage.subjects import subject_hash, subject_key
from storage.types import Role, Tenant

JsonObject = dict[str, Any]
PAGE: Final = 200  # decisions
ERASED_AT_ONCE: Final = 1000  # decisions in one transaction: the shipper waits for it, about half a second

_FIND: Final = """
SELECT d.* FROM public.decision_subjects AS s
JOIN public.decisions AS d ON d.opened_at = s.opened_at AND d.id = s.id AND d.tenant_id = s.tenant_id
WHERE s.tenant_id = $1 AND s.subject = $2 AND (s.opened_at, s.id) > (coalesce($3::timestamptz, '-infinity'), $4)
ORDER BY s.opened_at, s.id LIMIT $5
"""
_JSON_COLUMNS: Final = ("scores", "facts", "coverage", "digests", "personal")
_BINARY_COLUMNS: Final = ("prev", "hash")
_NOBODY: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Erased:
    """How much one erasure took away; all zero the second time."""

    decisions: int
    bodies: int
    dead_letters: int


class SubjectLog:
    """What is held about persons, for one tenant. `actor` is whose name stands in the admin audit.

    A person is known by an identifier in any usual spelling: what PII detectors matched, the request's end-user
    field, or a network address. Only its keyed hash is looked for, and only that is noted.
    """

    def __init__(self, database: Database, tenant: Tenant, content_key: bytes, actor: str) -> None:
        self._database, self._tenant, self._actor = database, tenant, actor
        self._key = subject_key(content_key)

    async def find(self, identifier: str) -> AsyncIterator[JsonObject]:
        """Yield the decisions about a person with all their columns, oldest first. Raises StorageError."""
        subject = self._subject(identifier)
        await self._note("subject.find", subject)
        async for page in self._pages(subject):
            for row in page:
                yield row

    async def export(self, identifier: str, data_keys: DataKeys) -> AsyncIterator[JsonObject]:
        """Like `find`, each decision with its stored bodies under `bodies`, in clear. Raises StorageError."""
        subject = self._subject(identifier)
        await self._note("subject.export", subject)
        async for page in self._pages(subject):
            ids = [row["id"] for row in page]
            found = await read_bodies_of_tenant(
                self._database, data_keys, self._tenant.id, ids, actor=self._actor, reason="subject.export"
            )
            for row in page:
                yield row | {"bodies": [_shown(body) for body in found if body.decision_id == row["id"]]}

    async def erase(self, identifier: str) -> Erased:
        """Erase bodies and personal data of every decision about a person, and that they are about that person.

        The decisions themselves and their chain stay. What is still in a journal, or comes back out of an archive, is
        erased on its way in. A thousand decisions go in one transaction, together with the note of it; of more than
        that, an interrupted erasure is simply asked for again. Raises StorageError.
        """
        subject = self._subject(identifier)
        total = Erased(0, 0, 0)
        while True:
            async with self._database.transaction(Role.APP, self._tenant.id) as connection:
                row = await connection.fetchrow(
                    "SELECT * FROM private.erase_subject($1, $2, $3)", subject, self._actor, ERASED_AT_ONCE
                )
            if row is None:
                raise StorageError("private.erase_subject did not say what it did")
            total = Erased(
                total.decisions + row["decisions"],
                total.bodies + row["bodies"],
                total.dead_letters + row["dead_letters"],
            )
            if row["decisions"] < ERASED_AT_ONCE:
                return total

    def _subject(self, identifier: str) -> bytes:
        subject = subject_hash(self._key, identifier)
        if not subject:
            raise StorageError("an identifier is an e-mail address, a number, a network address or a user id")
        return bytes.fromhex(subject)

    async def _note(self, action: str, subject: bytes) -> None:
        async with self._database.transaction(Role.APP, self._tenant.id) as connection:
            await connection.execute(
                "INSERT INTO private.admin_audit (actor, action, tenant_id, target) VALUES ($1, $2, $3, $4)",
                *(self._actor, action, self._tenant.id, subject.hex()),
            )

    async def _pages(self, subject: bytes) -> AsyncIterator[Sequence[JsonObject]]:
        at, last = None, _NOBODY
        while True:
            async with self._database.transaction(Role.APP, self._tenant.id) as connection:
                rows = await _page(connection, self._tenant.id, subject, at, last)
            if rows:
                yield [_readable(row) for row in rows]
            if len(rows) < PAGE:
                return
            at, last = rows[-1]["opened_at"], rows[-1]["id"]


async def _page(connection: Connection, tenant_id: int, subject: bytes, at: object, last: UUID) -> Sequence[Row]:
    return await connection.fetch(_FIND, tenant_id, subject, at, last, PAGE)


def _readable(row: Row) -> JsonObject:
    readable = dict(row.items())
    readable["id"] = str(readable["id"])
    for column in _JSON_COLUMNS:
        readable[column] = orjson.loads(readable[column]) if readable[column] is not None else None
    for column in _BINARY_COLUMNS:
        readable[column] = readable[column].hex() if readable[column] is not None else None
    return readable


def _shown(body: Body) -> JsonObject:
    shown: JsonObject = {"direction": body.direction, "form": body.form, "cut": body.cut, "text": body.text}
    return shown if body.text is not None else shown | {"problem": body.problem}
