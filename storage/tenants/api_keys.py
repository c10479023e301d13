"""API keys: what one looks like, and the store that keeps only its keyed hash."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from detectors.errors import StorageError, UnknownTenantError
from storage.postgres import Connection, Database, Row
from storage.tenants.tenants import TenantStore
from storage.types import Identity, Role

PREFIX: Final = "sk-ps-"
_BASE62: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_KEY: Final = re.compile(rf"{PREFIX}(?P<random>[0-9A-Za-z]{{32}})(?P<checksum>[0-9A-Za-z]{{6}})")
_SHOWN: Final = len(PREFIX) + 4
# A key that was rotated is on its way out and in nobody's way.
_HAS_LIVE: Final = (
    "SELECT EXISTS (SELECT FROM public.api_keys WHERE app_id = $1 AND revoked_at IS NULL AND rotated_to IS NULL"
    " AND (expires_at IS NULL OR expires_at > now()))"
)
_ROTATED: Final = """
WITH old AS (
    SELECT tenant_id, app_id, name, expires_at, scopes, models FROM public.api_keys
    WHERE id = $1 AND revoked_at IS NULL AND rotated_to IS NULL AND (expires_at IS NULL OR expires_at > now())
    FOR UPDATE
)
INSERT INTO public.api_keys (tenant_id, app_id, hash, prefix, name, expires_at, scopes, models)
SELECT tenant_id, app_id, $2, $3, name, expires_at, scopes, models FROM old RETURNING id
"""
_APP: Final = re.compile(r"(?!.*\.(?:tests|txt)$)[a-z0-9][a-z0-9._-]{0,62}")  # whose policies would be other files


def hold_to_app_names(name: str) -> None:
    """Raises StorageError for what no app can be called."""
    if _APP.fullmatch(name) is None:
        raise StorageError(
            "an app's name is up to 63 lower-case letters, digits, dots, underscores or hyphens, "
            "starts with a letter or digit, and does not end in .tests or .txt"
        )


def generate_key() -> str:
    """A new key: `sk-ps-`, 32 random base62 characters (190 bits), 6 of checksum."""
    random = "".join(secrets.choice(_BASE62) for _ in range(32))
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
    scopes: tuple[str, ...] | None = None
    models: tuple[str, ...] | None = None
    rotated_to: int | None = None

    def state(self, now: datetime) -> str:
        """Say whether it works: live, expired or revoked."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "live"


@dataclass(frozen=True, slots=True)
class KeyLimits:
    """What a key may of what its tenant may: patterns of dialects or routes, and of models; None for all."""

    scopes: tuple[str, ...] | None = None
    models: tuple[str, ...] | None = None


class ApiKeyStore:
    """`pepper` keys the hashes: a stolen table alone does not tell whether a guessed key is right."""

    def __init__(self, database: Database, pepper: bytes) -> None:
        self._database, self._pepper = database, pepper

    async def create(
        self,
        tenant: str,
        app: str = "default",
        name: str = "",
        expires_at: datetime | None = None,
        limits: KeyLimits = KeyLimits(),
        *,
        additional: bool = True,
    ) -> tuple[int, str]:
        """Make a key for an app, which is made too if it is new. Returns the key's id and the key, never seen again.

        `expires_at` is aware. Raises StorageError for an unknown tenant, for a malformed app name, and unless it is
        `additional` for an app that has a live key.
        """
        hold_to_app_names(app)
        tenant_id = await self._tenant_id(tenant)
        key = generate_key()
        async with self._database.transaction(Role.APP, tenant_id) as connection:
            app_id = await _find_or_make_app(connection, tenant_id, app)
            if not additional:
                await hold_to_one_live_key(connection, app_id)
            key_id: int = await connection.fetchval(
                "INSERT INTO public.api_keys (tenant_id, app_id, hash, prefix, name, expires_at, scopes, models)"
                " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id",
                *(tenant_id, app_id, hash_key(self._pepper, key), shown_prefix(key), name, expires_at),
                *(limits.scopes, limits.models),
            )
        return key_id, key

    async def rotate(self, tenant_id: int, key_id: int, overlap: timedelta) -> tuple[int, str]:
        """Make a key that may what an old one may, which ends after `overlap`. Returns the new id and the new key.

        Raises StorageError unless the old one is live, of that tenant, and not rotated yet.
        """
        key = generate_key()
        async with self._database.transaction(Role.APP, tenant_id) as connection:
            new_id: int | None = await connection.fetchval(
                _ROTATED, key_id, hash_key(self._pepper, key), shown_prefix(key)
            )
            if new_id is None:
                raise StorageError("there is no such live key, or it was rotated already")
            await connection.execute(
                "UPDATE public.api_keys SET rotated_to = $2, expires_at = least(expires_at, now() + $3) WHERE id = $1",
                *(key_id, new_id, overlap),
            )
        return new_id, key

    async def revoke(self, key_id_or_prefix: int | str) -> tuple[int, int]:
        """End a key at once, by its id or the prefix people see; return its id and its tenant's. Raises StorageError
        unless that is one live key.
        """
        key_id, tenant_id = await self._find_live(key_id_or_prefix)
        async with self._database.transaction(Role.APP, tenant_id) as connection:
            await connection.execute("UPDATE public.api_keys SET revoked_at = now() WHERE id = $1", key_id)
        return key_id, tenant_id

    async def list(self, tenant: str) -> tuple[ApiKey, ...]:
        """All keys of a tenant, dead ones too, oldest first. Raises StorageError for an unknown tenant."""
        tenant_id = await self._tenant_id(tenant)
        async with self._database.transaction(Role.APP, tenant_id) as connection:
            rows = await connection.fetch(
                "SELECT k.id, a.name AS app, k.prefix, k.name, k.created_at, k.expires_at, k.revoked_at,"
                " k.last_used_at, k.scopes, k.models, k.rotated_to"
                " FROM public.api_keys AS k JOIN public.apps AS a ON a.id = k.app_id ORDER BY k.id"
            )
        return tuple(ApiKey(tenant=tenant, **dict(row.items())) for row in rows)

    async def find(self, hash: bytes) -> Identity | None:  # noqa: A002 - the glossary's and the column's word
        """Whose key this is, or None if it is unknown, revoked, expired, or its tenant suspended or deleted."""
        async with self._database.transaction(Role.APP) as connection:
            row = await connection.fetchrow("SELECT * FROM private.find_key($1)", hash)
        return None if row is None else _identity(row)

    async def _tenant_id(self, slug: str) -> int:
        tenant = await TenantStore(self._database).find(slug)
        if tenant is None:
            raise UnknownTenantError(f'there is no tenant "{slug}"')
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


def _identity(row: Row) -> Identity:
    expires, scopes, models = row["expires_at"], row["scopes"], row["models"]
    return Identity(
        row["tenant_id"],
        row["tenant"],
        row["app_id"],
        row["app"],
        row["key_id"],
        None if expires is None else expires.timestamp(),
        None if scopes is None else tuple(scopes),
        None if models is None else tuple(models),
    )


async def hold_to_one_live_key(connection: Connection, app_id: int) -> None:
    """Raise StorageError if an app has a live key; whoever asks at the same time waits for us."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('ps_key', $1))", app_id)
    if await connection.fetchval(_HAS_LIVE, app_id):
        raise StorageError("the app has a live key already: rotate that one, or ask for an additional one")


async def _find_or_make_app(connection: Connection, tenant_id: int, app: str) -> int:
    await connection.execute(
        "INSERT INTO public.apps (tenant_id, name) VALUES ($1, $2) ON CONFLICT (tenant_id, name) DO NOTHING",
        *(tenant_id, app),
    )
    app_id: int = await connection.fetchval("SELECT id FROM public.apps WHERE name = $1", app)
    return app_id
