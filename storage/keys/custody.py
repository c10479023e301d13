"""What administrators do with data keys: list them, rotate them, wrap them anew, destroy them. Each leaves a trace."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import orjson

from detectors.errors import StorageError
from storage.keys.data_keys import REWRAPPING_LOCK, make_generation
from storage.keys.encryption import KeyRing, KeyRingSource
from storage.postgres import Connection, Database
from storage.types import Role, Tenant


@dataclass(frozen=True, slots=True)
class DataKeyState:
    """A data key as shown to people; times are aware. `kek` names the key-encryption key that wraps it."""

    tenant: str
    generation: int
    kek: str
    created_at: datetime
    retired_at: datetime | None
    destroyed_at: datetime | None


class KeyCustody:
    """`actor` is whose name stands in the admin audit."""

    def __init__(self, database: Database, actor: str) -> None:
        self._database, self._actor = database, actor

    async def list(self) -> tuple[DataKeyState, ...]:
        """All data keys, destroyed ones too, by tenant and generation."""
        async with self._database.transaction(Role.READER) as connection:
            rows = await connection.fetch(
                "SELECT t.slug AS tenant, k.generation, k.kek, k.created_at, k.retired_at, k.destroyed_at"
                " FROM private.data_keys AS k JOIN public.tenants AS t ON t.id = k.tenant_id ORDER BY 1, 2"
            )
        return tuple(DataKeyState(**dict(row.items())) for row in rows)

    async def rotate(self, tenant: Tenant, source: KeyRingSource) -> int:
        """Retire a tenant's live key and make the next one; what the old one locked stays readable.

        Returns the new generation.
        """
        async with self._database.transaction(Role.APP, tenant.id) as connection:
            await connection.execute(
                "UPDATE private.data_keys SET retired_at = now() WHERE tenant_id = $1 AND retired_at IS NULL", tenant.id
            )
            await make_generation(connection, tenant.id, source)
            generation: int = await connection.fetchval(
                "SELECT generation FROM private.data_keys WHERE tenant_id = $1 AND retired_at IS NULL", tenant.id
            )
            await self._note(connection, "data_key.rotate", tenant.id, generation=generation)
        return generation

    async def shred(self, tenant: Tenant) -> int:
        """Destroy every data key of a tenant: no body stored until now can ever be read again here.

        Returns how many keys were destroyed. Backups and write-ahead logs may still hold them wrapped, and open only
        as long as the key-encryption key exists.
        """
        async with self._database.transaction(Role.APP, tenant.id) as connection:
            destroyed = await connection.fetch(
                "UPDATE private.data_keys SET wrapped = NULL, destroyed_at = now(),"
                " retired_at = coalesce(retired_at, now())"
                " WHERE tenant_id = $1 AND destroyed_at IS NULL RETURNING generation",
                tenant.id,
            )
            generations = sorted(row["generation"] for row in destroyed)
            await self._note(connection, "data_key.shred", tenant.id, generations=generations)
        return len(generations)

    async def rewrap(self, ring: KeyRing) -> int:
        """Wrap every data key that another key wraps by the current one of `ring`; bodies are not touched.

        One transaction for each tenant, so that an interrupted run is simply run again. Returns how many were wrapped
        anew. Raises StorageError if `ring` lacks a key that is still needed.
        """
        async with self._database.transaction(Role.READER) as connection:
            # Keys that are being made at this moment are waited for; those made from now on are wrapped by `ring`.
            await connection.execute("SELECT pg_advisory_xact_lock($1)", REWRAPPING_LOCK)
            rows = await connection.fetch(
                "SELECT DISTINCT tenant_id FROM private.data_keys WHERE kek <> $1 AND destroyed_at IS NULL ORDER BY 1",
                ring.current.id,
            )
        return sum([await self._rewrap_tenant(row["tenant_id"], ring) for row in rows])

    async def _rewrap_tenant(self, tenant_id: int, ring: KeyRing) -> int:
        async with self._database.transaction(Role.APP, tenant_id) as connection:
            rows = await connection.fetch(
                "SELECT generation, wrapped, kek FROM private.data_keys"
                " WHERE tenant_id = $1 AND kek <> $2 AND destroyed_at IS NULL FOR UPDATE",
                *(tenant_id, ring.current.id),
            )
            for row in rows:
                key = ring.find(row["kek"])
                if key is None:
                    raise StorageError(f"tenant {tenant_id}: the key-encryption key {row['kek']} is not here")
                plain = key.unwrap(row["wrapped"], tenant_id, row["generation"])
                await connection.execute(
                    "UPDATE private.data_keys SET wrapped = $3, kek = $4 WHERE tenant_id = $1 AND generation = $2",
                    *(tenant_id, row["generation"], ring.current.wrap(plain, tenant_id, row["generation"])),
                    ring.current.id,
                )
            await self._note(connection, "data_key.rewrap", tenant_id, keys=len(rows), kek=ring.current.id)
        return len(rows)

    async def _note(self, connection: Connection, action: str, tenant_id: int, **details: object) -> None:
        await connection.execute(
            "INSERT INTO private.admin_audit (actor, action, tenant_id, details) VALUES ($1, $2, $3, $4)",
            *(self._actor, action, tenant_id, orjson.dumps(details).decode()),
        )
