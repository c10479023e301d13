"""Programs that use the control plane: a client id, and secrets that can be replaced and end."""

from __future__ import annotations

import re
import secrets
import string
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from detectors.errors import StorageError
from storage.accounts.sealing import hash_token, new_token
from storage.postgres import Connection, Database, Row
from storage.types import Role

SHOWN_PREFIX: Final = "pss-"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_LETTERS: Final = string.ascii_lowercase + string.digits
_COLUMNS: Final = (
    "a.id, a.client_id, a.name, a.role, a.tenant_id, t.slug AS tenant, a.created_at, a.revoked_at, a.last_used_at"
)
_FROM: Final = "private.service_accounts AS a LEFT JOIN public.tenants AS t ON t.id = a.tenant_id"
_LIVE: Final = "a.revoked_at IS NULL AND t.deleted_at IS NULL"
_GOOD: Final = "(s.ends_at IS NULL OR s.ends_at > now())"


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """`tenant` is the slug, None for the platform's own. Times are aware."""

    id: int
    client_id: str
    name: str
    role: str
    tenant_id: int | None
    tenant: str | None
    created_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True, repr=False)
class Opened:
    """An account that showed the secret `secret_id`, or has just been given the one that is in `secret`."""

    account: ServiceAccount
    secret_id: int
    secret: str = ""


class ServiceAccounts:
    """`key` keys the hashes of the secrets."""

    def __init__(self, database: Database, key: bytes) -> None:
        self._database, self._key = database, key

    async def create(self, name: str, role: str, tenant_id: int | None) -> Opened:
        """Make an account with its first secret, never seen again. Raises StorageError for a malformed name, for that
        of a live account, and for a role that does not fit the tenant.
        """
        if _NAME.fullmatch(name) is None:
            raise StorageError("a service account's name is up to 63 lower-case letters, digits, dots or hyphens")
        client_id = "sa-" + "".join(secrets.choice(_LETTERS) for _ in range(16))
        async with self._database.transaction(Role.ACCESS) as connection:
            account_id = await connection.fetchval(
                "INSERT INTO private.service_accounts (client_id, name, role, tenant_id) VALUES ($1, $2, $3, $4)"
                " ON CONFLICT (tenant_id, name) WHERE revoked_at IS NULL DO NOTHING RETURNING id",
                *(client_id, name, role, tenant_id),
            )
            if account_id is None:
                raise StorageError("there is a service account of that name already")
            return await self._with_new_secret(connection, account_id)

    async def rotate(self, account_id: int, keep_seconds: float = 0.0) -> Opened:
        """Make a new secret; those before it end now, or in `keep_seconds`. Raises StorageError for a dead account."""
        async with self._database.transaction(Role.ACCESS) as connection:
            await connection.execute(
                "UPDATE private.service_account_secrets SET ends_at = least(ends_at, now() + make_interval(secs => $2))"
                " WHERE account_id = $1",
                *(account_id, keep_seconds),
            )
            return await self._with_new_secret(connection, account_id)

    async def revoke(self, account_id: int) -> None:
        """End an account and all its secrets and tokens. Raises StorageError where it is revoked already."""
        async with self._database.transaction(Role.ACCESS) as connection:
            done = await connection.execute(
                "UPDATE private.service_accounts SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL",
                account_id,
            )
        if done.endswith(" 0"):
            raise StorageError("the service account is revoked already")

    async def open(self, client_id: str, secret: str) -> Opened | None:
        """Return the live account whose secret that is."""
        async with self._database.transaction(Role.ACCESS) as connection:
            row = await connection.fetchrow(
                f"SELECT {_COLUMNS}, s.id AS secret_id FROM {_FROM}"  # noqa: S608 - our own columns
                " JOIN private.service_account_secrets AS s ON s.account_id = a.id"
                f" WHERE s.hash = $1 AND a.client_id = $2 AND {_GOOD} AND {_LIVE}",
                *(hash_token(self._key, secret), client_id),
            )
            if row is None:
                return None
            opened = _opened(row)
            await connection.execute(
                "UPDATE private.service_accounts SET last_used_at = now() WHERE id = $1", opened.account.id
            )
        return opened

    async def live(self, account_id: int, secret_id: int) -> ServiceAccount | None:
        """Return an account if it and the secret that a token was got with still are alive."""
        async with self._database.transaction(Role.ACCESS) as connection:
            row = await connection.fetchrow(
                f"SELECT {_COLUMNS} FROM {_FROM} JOIN private.service_account_secrets AS s ON s.account_id = a.id"  # noqa: S608 - our own columns
                f" WHERE a.id = $1 AND s.id = $2 AND {_GOOD} AND {_LIVE}",
                *(account_id, secret_id),
            )
        return None if row is None else ServiceAccount(**dict(row.items()))

    async def get(self, account_id: int) -> ServiceAccount | None:
        async with self._database.transaction(Role.ACCESS) as connection:
            return await _get(connection, account_id)

    async def list(self, tenant_id: int | None = None, after: int = 0, limit: int = 200) -> tuple[ServiceAccount, ...]:
        """Accounts by id, of one tenant or of all, dead ones too, those after the id `after`."""
        async with self._database.transaction(Role.ACCESS) as connection:
            rows = await connection.fetch(
                f"SELECT {_COLUMNS} FROM {_FROM} WHERE ($1::bigint IS NULL OR a.tenant_id = $1) AND a.id > $2"  # noqa: S608 - our own columns
                " ORDER BY a.id LIMIT $3",
                *(tenant_id, after, limit),
            )
        return tuple(ServiceAccount(**dict(row.items())) for row in rows)

    async def _with_new_secret(self, connection: Connection, account_id: int) -> Opened:
        account = await _get(connection, account_id)
        if account is None or account.revoked_at is not None:
            raise StorageError("there is no such live service account")
        secret = new_token(SHOWN_PREFIX)
        secret_id: int = await connection.fetchval(
            "INSERT INTO private.service_account_secrets (account_id, hash) VALUES ($1, $2) RETURNING id",
            *(account_id, hash_token(self._key, secret)),
        )
        return Opened(account, secret_id, secret)


async def _get(connection: Connection, account_id: int) -> ServiceAccount | None:
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM {_FROM} WHERE a.id = $1", account_id)  # noqa: S608 - our own columns
    return None if row is None else ServiceAccount(**dict(row.items()))


def _opened(row: Row) -> Opened:
    columns = dict(row.items())
    secret_id: int = columns.pop("secret_id")
    return Opened(ServiceAccount(**columns), secret_id)
