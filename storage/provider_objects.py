"""Which objects at which provider a tenant has made through here: the only ones that its requests may lean on."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from storage.postgres import Database
from storage.types import ObjectName, Role

LIFETIME: Final = timedelta(days=30)  # as long as OpenAI keeps a stored response; whoever leans on it renews it
_ID: Final = re.compile(r"[A-Za-z0-9._:/+=-]{1,256}")
_KIND: Final = re.compile(r"[a-z][a-z_]{0,38}")

_NOTE: Final = """
INSERT INTO public.provider_objects AS known (tenant_id, upstream, kind, object, decision, expires_at)
SELECT $1, $2, named.kind, named.object, $5::uuid, $6
FROM unnest($3::text[], $4::text[]) AS named (kind, object) ORDER BY named.kind, named.object
ON CONFLICT (tenant_id, upstream, kind, object)
    DO UPDATE SET expires_at = greatest(known.expires_at, excluded.expires_at)
"""
_KNOWN: Final = """
UPDATE public.provider_objects AS known SET expires_at = greatest(known.expires_at, $5)
FROM unnest($3::text[], $4::text[]) AS named (kind, object)
WHERE known.tenant_id = $1 AND known.upstream = $2 AND known.kind = named.kind AND known.object = named.object
    AND known.expires_at > now()
RETURNING known.kind, known.object
"""
_KEEP: Final = """
UPDATE public.provider_objects AS known SET pseudonyms = sealed.pseudonyms
FROM unnest($3::text[], $4::text[], $5::bytea[]) AS sealed (kind, object, pseudonyms)
WHERE known.tenant_id = $1 AND known.upstream = $2 AND known.kind = sealed.kind AND known.object = sealed.object
"""
_PSEUDONYMS: Final = """
SELECT known.kind, known.object, known.pseudonyms FROM public.provider_objects AS known
JOIN unnest($3::text[], $4::text[]) AS named (kind, object) USING (kind, object)
WHERE known.tenant_id = $1 AND known.upstream = $2 AND known.pseudonyms IS NOT NULL AND known.expires_at > now()
"""


class ProviderObjects:
    """Objects by tenant, upstream, kind and id. What no provider would call an object is never known."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note(
        self, tenant_id: int, upstream: str, names: Collection[ObjectName], decision: str | None = None
    ) -> int:
        """Remember objects for thirty days, committed when this returns; `decision` is None for imported ones.

        Return how many of them can be ids of objects at all. Raises StorageError.
        """
        possible = _possible(names)
        if possible:
            kinds, ids = [name.kind for name in possible], [name.id for name in possible]
            async with self._database.transaction(Role.APP, tenant_id) as connection:
                await connection.execute(_NOTE, tenant_id, upstream, kinds, ids, decision, _expiry())
        return len(possible)

    async def unknown(self, tenant_id: int, upstream: str, names: Collection[ObjectName]) -> frozenset[ObjectName]:
        """Return those that the tenant has not made at this upstream; the others live on. Raises StorageError."""
        possible = _possible(names)
        known: set[ObjectName] = set()
        if possible:
            kinds, ids = [name.kind for name in possible], [name.id for name in possible]
            async with self._database.transaction(Role.APP, tenant_id) as connection:
                rows = await connection.fetch(_KNOWN, tenant_id, upstream, kinds, ids, _expiry())
            known = {ObjectName(row["kind"], row["object"]) for row in rows}
        return frozenset(names) - known

    async def keep_pseudonyms(self, tenant_id: int, upstream: str, sealed: Mapping[ObjectName, bytes]) -> None:
        """Keep, with objects that were noted before, what their texts were written with. Raises StorageError."""
        names = _possible(sealed.keys())
        columns = [name.kind for name in names], [name.id for name in names], [sealed[name] for name in names]
        if names:
            async with self._database.transaction(Role.APP, tenant_id) as connection:
                await connection.execute(_KEEP, tenant_id, upstream, *columns)

    async def pseudonyms(
        self, tenant_id: int, upstream: str, names: Collection[ObjectName]
    ) -> Mapping[ObjectName, bytes]:
        """Return what is kept with those of the tenant's objects that have any, as sealed. Raises StorageError."""
        possible = _possible(names)
        if not possible:
            return {}
        kinds, ids = [name.kind for name in possible], [name.id for name in possible]
        async with self._database.transaction(Role.APP, tenant_id) as connection:
            rows = await connection.fetch(_PSEUDONYMS, tenant_id, upstream, kinds, ids)
        return {ObjectName(row["kind"], row["object"]): row["pseudonyms"] for row in rows}

    async def expire(self) -> int:
        """Forget what nobody has leant on for its lifetime, of all tenants; return how many. Raises StorageError."""
        async with self._database.transaction(Role.APP) as connection:
            gone: int = await connection.fetchval("SELECT private.expire_provider_objects()")
        return gone


def _possible(names: Collection[ObjectName]) -> Sequence[ObjectName]:
    return [name for name in set(names) if _ID.fullmatch(name.id) and _KIND.fullmatch(name.kind)]


def _expiry() -> datetime:
    return datetime.now(UTC) + LIFETIME
