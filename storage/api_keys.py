"""API keys: what one looks like, and the store that keeps only its keyed hash."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from detectors.errors import StorageError
from storage.postgres import Connection, Database
from storage.tenants import TenantStore
from storage.types import Identity, Role

PREFIX: Final = "sk-ps-"
_BASE62: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_KEY: Final = re.compile(rf"{PREFIX}(?P<random>[0-9A-Za-z]{{32}})(?P<checksum>[0-9A-Za-z]{{6}})")
_SHOWN: Final = len(PREFIX) + 4
_APP: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


class Entropy(Protocol):
    def choice(self, seq: Sequence[str], /) -> str: ...


def generate_key(entropy: Entropy = secrets) -> str:
    """A new key: `sk-ps-`, 32 random base62 characters (190 bits), 6 of checksum."""
    random = "".join(entropy.choice(_BASE62) for _ in range(32))
    return PREFIX + random + _checksum(random)


def well_formed(key: str) -> bool:
    """Whether `key` could be one of ours; a mistyped or cut one is told without asking the database."""
    match = _KEY.fullmatch(key)
    return match is not None and match["checksum"] == _checksum(match["random"])


def hash_key(pepper: bytes, key: str) -> bytes:
    """HMAC-SHA256, 32 bytes. A fast hash is enough: 190 random bits cannot be guessed."""
    return hmac.digest(pepper, key.encode(), hashlib.sha256)


def shown_prefix(key: str) -> str:
    """What people see of a key after its creation: `sk-ps-abcd…`."""
    return f"{key[:_SHOWN]}…"


def _checksum(random: str) -> str:
    number, digits = zlib.crc32(random.encode()), ""
    while number:
        number, digit = divmod(number, 62)
        digits = _BASE62[digit] + digits
    return digits.rjust(6, "0")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as shown to people; times are aware."""

    id: int
    tenant: str
    app: str
    prefix: str
    name: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


class ApiKeyStore:
    """`pepper` keys the hashes: a stolen table alone does not tell whether a guessed key is right."""

    def __init__(self, database: Database, pepper: bytes) -> None:
        self._database, self._pepper = database, pepper

    async def create(
        self, tenant: str, app: str = "default", name: str = "", expires_at: datetime | None = None
    ) -> tuple[int, str]:
        """Make a key for an app, which is made too if it is new. Returns the key's id and the key, never seen again.

        `expires_at` is aware. Raises StorageError for an unknown tenant or a malformed app name.
        """
        if _APP.fullmatch(app) is None:
            raise StorageError(
                "an app's name is up to 63 lower-case letters, digits, dots, underscores or hyphens "
                "and starts with a letter or digit"
            )
        tenant_id = await self._tenant_id(tenant)
        key = generate_key()
        async with self._database.transaction(Role.APP, tenant_id) as connection:
            app_id = await _find_or_make_app(connection, tenant_id, app)
            key_id: int = await connection.fetchval(
                "INSERT INTO public.api_keys (tenant_id, app_id, hash, prefix, name, expires_at)"
                " VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
                *(tenant_id, app_id, hash_key(self._pepper, key), shown_prefix(key), name, expires_at),
            )
        return key_id, key

    async def revoke(self, key_id_or_prefix: int | str) -> None:
        """End a key at once, by its id or the prefix people see. Raises StorageError unless that is one live key."""
        key_id, tenant_id = await self._find_live(key_id_or_prefix)
        async with self._database.transaction(Role.APP, tenant_id) as connection:
            await connection.execute("UPDATE public.api_keys SET revoked_at = now() WHERE id = $1", key_id)

    async def list(self, tenant: str) -> tuple[ApiKey, ...]:
        """All keys of a tenant, dead ones too, oldest first. Raises StorageError for an unknown tenant."""
        tenant_id = await self._tenant_id(tenant)
        async with self._database.transaction(Role.APP, tenant_id) as connection:
            rows = await connection.fetch(
                "SELECT k.id, a.name AS app, k.prefix, k.name, k.created_at, k.expires_at, k.revoked_at,"
                " k.last_used_at FROM public.api_keys AS k JOIN public.apps AS a ON a.id = k.app_id ORDER BY k.id"
            )
        return tuple(ApiKey(tenant=tenant, **dict(row.items())) for row in rows)

    async def find(self, hash: bytes) -> Identity | None:  # noqa: A002 - the glossary's and the column's word
        """Whose key this is, or None if it is unknown, revoked, expired, or its tenant suspended or deleted."""
        async with self._database.transaction(Role.APP) as connection:
            row = await connection.fetchrow("SELECT * FROM private.find_key($1)", hash)
        return None if row is None else Identity(**dict(row.items()))

    async def _tenant_id(self, slug: str) -> int:
        tenant = await TenantStore(self._database).find(slug)
        if tenant is None:
            raise StorageError(f'there is no tenant "{slug}"')
        return tenant.id

    async def _find_live(self, key_id_or_prefix: int | str) -> tuple[int, int]:
        wanted = str(key_id_or_prefix)
        async with self._database.transaction(Role.READER) as connection:
            rows = await connection.fetch(
                "SELECT id, tenant_id FROM public.api_keys"
                " WHERE (id::text = $1 OR prefix = $2) AND revoked_at IS NULL LIMIT 2",
                *(wanted, shown_prefix(wanted)),
            )
        if len(rows) != 1:
            raise StorageError(
                "several live keys start like this: revoke by id" if rows else "there is no such live key"
            )
        return rows[0]["id"], rows[0]["tenant_id"]


async def _find_or_make_app(connection: Connection, tenant_id: int, app: str) -> int:
    await connection.execute(
        "INSERT INTO public.apps (tenant_id, name) VALUES ($1, $2) ON CONFLICT (tenant_id, name) DO NOTHING",
        *(tenant_id, app),
    )
    app_id: int = await connection.fetchval("SELECT id FROM public.apps WHERE name = $1", app)
    return app_id
