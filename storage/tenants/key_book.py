"""The keys and apps of a tenant, page by page, and what is changed of them; another tenant's are not there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from detectors.errors import StorageError
from storage.postgres import Database, Row
from storage.tenants.api_keys import ApiKey, hold_to_app_names, hold_to_one_live_key
from storage.types import Role

_KEYS: Final = """
SELECT k.id, t.slug AS tenant, a.name AS app, k.prefix, k.name, k.created_at, k.expires_at, k.revoked_at,
    k.last_used_at, k.scopes, k.models, k.rotated_to
FROM public.api_keys AS k JOIN public.apps AS a ON a.id = k.app_id JOIN public.tenants AS t ON t.id = k.tenant_id
WHERE k.tenant_id = $1
"""
_PAGE: Final = f"""
{_KEYS} AND k.id > $2 AND ($3::text IS NULL OR a.name = $3)
AND ($4::text IS NULL OR $4 = CASE
    WHEN k.revoked_at IS NOT NULL THEN 'revoked' WHEN k.expires_at <= now() THEN 'expired' ELSE 'live'
END)
ORDER BY k.id LIMIT $5
"""
_CHANGE: Final = """
UPDATE public.api_keys SET name = CASE WHEN $7::text[] @> '{name}' THEN $3 ELSE name END,
    expires_at = CASE WHEN $7::text[] @> '{expires_at}' THEN $4 ELSE expires_at END,
    scopes = CASE WHEN $7::text[] @> '{scopes}' THEN $5 ELSE scopes END,
    models = CASE WHEN $7::text[] @> '{models}' THEN $6 ELSE models END
WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL
    AND (rotated_to IS NULL OR NOT $7::text[] @> '{expires_at}' OR $4 <= expires_at) RETURNING id
"""
_ENDED: Final = """
SELECT app_id FROM public.api_keys WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL AND expires_at <= now()
"""
_APPS: Final = """
SELECT a.id, a.name, a.created_at, (
    SELECT count(*) FROM public.api_keys AS k
    WHERE k.app_id = a.id AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
) AS live_keys
FROM public.apps AS a WHERE a.tenant_id = $1
"""


@dataclass(frozen=True, slots=True)
class App:
    """`live_keys` counts the keys that work now."""

    id: int
    name: str
    created_at: datetime
    live_keys: int


class KeyBook:
    """One tenant's."""

    def __init__(self, database: Database, tenant_id: int) -> None:
        self._database, self._tenant_id = database, tenant_id

    async def page(self, *, after: int, limit: int, app: str | None, state: str | None) -> tuple[ApiKey, ...]:
        """Return keys with greater ids than `after`, dead ones too; `state` is live, expired or revoked."""
        async with self._database.transaction(Role.APP, self._tenant_id) as connection:
            rows = await connection.fetch(_PAGE, self._tenant_id, after, app, state, limit)
        return tuple(_key(row) for row in rows)

    async def find(self, key_id: int) -> ApiKey | None:
        async with self._database.transaction(Role.APP, self._tenant_id) as connection:
            row = await connection.fetchrow(f"{_KEYS} AND k.id = $2", self._tenant_id, key_id)
        return None if row is None else _key(row)

    async def change(self, key: ApiKey, changes: Mapping[str, Any]) -> None:
        """Give a key another name, end or limits, and leave what `changes` does not name as it is by now.

        Raises StorageError for one that is revoked, for a later end of one that another one has taken over from, and
        for a later end of one that has ended already where its app has a live key.
        """
        new = [changes.get(name, getattr(key, name)) for name in ("name", "expires_at", "scopes", "models")]
        async with self._database.transaction(Role.APP, self._tenant_id) as connection:
            ended_of = await connection.fetchval(_ENDED, self._tenant_id, key.id) if "expires_at" in changes else None
            if ended_of is not None:
                await hold_to_one_live_key(connection, ended_of)
            if await connection.fetchval(_CHANGE, self._tenant_id, key.id, *new, list(changes)) is None:
                raise StorageError("a revoked key stays as it is, and a rotated one ends when it was to end")

    async def revoke(self, key_id: int) -> None:
        """End a key at once. Raises StorageError where it is revoked already."""
        async with self._database.transaction(Role.APP, self._tenant_id) as connection:
            done = await connection.fetchval(
                "UPDATE public.api_keys SET revoked_at = now()"
                " WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL RETURNING id",
                *(self._tenant_id, key_id),
            )
        if done is None:
            raise StorageError("the key is revoked already")

    async def apps(self, *, after: int, limit: int) -> tuple[App, ...]:
        async with self._database.transaction(Role.APP, self._tenant_id) as connection:
            rows = await connection.fetch(
                f"{_APPS} AND a.id > $2 ORDER BY a.id LIMIT $3", self._tenant_id, after, limit
            )
        return tuple(App(**dict(row.items())) for row in rows)

    async def find_app(self, name: str) -> App | None:
        async with self._database.transaction(Role.APP, self._tenant_id) as connection:
            row = await connection.fetchrow(f"{_APPS} AND a.name = $2", self._tenant_id, name)
        return None if row is None else App(**dict(row.items()))

    async def add_app(self, name: str) -> App:
        """Make an app. Raises StorageError for a name that is taken or that none can have."""
        hold_to_app_names(name)
        async with self._database.transaction(Role.APP, self._tenant_id) as connection:
            made = await connection.fetchval(
                "INSERT INTO public.apps (tenant_id, name) VALUES ($1, $2)"
                " ON CONFLICT (tenant_id, name) DO NOTHING RETURNING id",
                *(self._tenant_id, name),
            )
        found = None if made is None else await self.find_app(name)
        if found is None:
            raise StorageError(f'the app "{name}" exists already')
        return found


def _key(row: Row) -> ApiKey:
    columns = dict(row.items())
    limits = {name: None if columns[name] is None else tuple(columns[name]) for name in ("scopes", "models")}
    return ApiKey(**(columns | limits))
