"""People who run the firewall: their names, roles and password hashes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from detectors.errors import StorageError
from storage.postgres import Connection, Database, Row
from storage.types import Role

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,126}")
_COLUMNS: Final = (
    "u.id, u.name, u.role, u.tenant_id, t.slug AS tenant, u.must_change, u.issuer, u.created_at, u.last_sign_in_at,"
    " u.disabled_at IS NULL AND t.deleted_at IS NULL AS enabled, f.confirmed_at IS NOT NULL AS second_factor"
)
_FROM: Final = (
    "private.users AS u LEFT JOIN public.tenants AS t ON t.id = u.tenant_id"
    " LEFT JOIN private.second_factors AS f ON f.user_id = u.id"
)
_TAKEN: Final = "there is a user of that name already"


_ADMINISTERED: Final = "SELECT EXISTS (SELECT FROM private.users WHERE role = 'platform_admin' AND disabled_at IS NULL)"


@dataclass(frozen=True, slots=True)
class User:
    """`tenant` is the slug, None for the platform's own; `issuer` the provider that vouches for somebody without a
    password here; `second_factor` tells whether one is asked for at sign-in. Times are aware.
    """

    id: int
    name: str
    role: str
    tenant_id: int | None
    tenant: str | None
    must_change: bool
    issuer: str | None
    created_at: datetime
    last_sign_in_at: datetime | None
    enabled: bool
    second_factor: bool


@dataclass(frozen=True, slots=True)
class NewUser:
    """`password_hash` is None for who never signs in with one; `must_change` makes the password one of one time."""

    name: str
    role: str
    tenant_id: int | None
    password_hash: str | None
    must_change: bool = False


def is_user_name(name: str) -> bool:
    """Whether somebody may be called so: lower-case, an address or a plain name."""
    return _NAME.fullmatch(name) is not None


class UserStore:
    """Users by id and by name. Nothing here decides who may change whom."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, user: NewUser) -> User:
        """Raises StorageError for a name that is malformed or taken, or a role that does not fit the tenant."""
        if not is_user_name(user.name):
            raise StorageError("a user's name is up to 127 lower-case letters, digits or .-_@+, like an address")
        async with self._database.transaction(Role.ACCESS) as connection:
            user_id = await connection.fetchval(
                "INSERT INTO private.users (name, role, tenant_id, password_hash, must_change)"
                " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (name) DO NOTHING RETURNING id",
                *(user.name, user.role, user.tenant_id, user.password_hash, user.must_change),
            )
            if user_id is None:
                raise StorageError(_TAKEN)
            return await _required(connection, user_id)

    async def vouched(self, issuer: str, subject: str, name: str, role: str, tenant_id: int | None) -> User:
        """Return the user whom a provider vouches for, made or brought up to date; `name` begins with `oidc:`."""
        async with self._database.transaction(Role.ACCESS) as connection:
            user_id = await connection.fetchval(
                "INSERT INTO private.users AS u (name, role, tenant_id, issuer, subject) VALUES ($1, $2, $3, $4, $5)"
                " ON CONFLICT (issuer, subject) DO UPDATE SET role = $2, tenant_id = $3 RETURNING id",
                *(name, role, tenant_id, issuer, subject),
            )
            return await _required(connection, user_id)

    async def any(self) -> bool:
        async with self._database.transaction(Role.ACCESS) as connection:
            found: bool = await connection.fetchval("SELECT EXISTS (SELECT FROM private.users)")
        return found

    async def list(self, tenant_id: int | None = None, after: int = 0, limit: int = 200) -> tuple[User, ...]:
        """Users by id, of one tenant or of all, those after the id `after`."""
        async with self._database.transaction(Role.ACCESS) as connection:
            rows = await connection.fetch(
                f"SELECT {_COLUMNS} FROM {_FROM} WHERE ($1::bigint IS NULL OR u.tenant_id = $1) AND u.id > $2"  # noqa: S608 - our own columns
                " ORDER BY u.id LIMIT $3",
                *(tenant_id, after, limit),
            )
        return tuple(_user(row) for row in rows)

    async def find(self, name: str) -> User | None:
        async with self._database.transaction(Role.ACCESS) as connection:
            row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM {_FROM} WHERE u.name = $1", name)  # noqa: S608 - likewise
        return None if row is None else _user(row)

    async def get(self, user_id: int) -> User | None:
        async with self._database.transaction(Role.ACCESS) as connection:
            return await _get(connection, user_id)

    async def password_hash(self, user_id: int) -> str | None:
        async with self._database.transaction(Role.ACCESS) as connection:
            found: str | None = await connection.fetchval(
                "SELECT password_hash FROM private.users WHERE id = $1", user_id
            )
        return found

    async def set_password(self, user_id: int, password_hash: str, *, must_change: bool) -> None:
        """Raises StorageError for somebody whom a provider vouches for."""
        await self._change(
            "UPDATE private.users SET password_hash = $2, must_change = $3 WHERE id = $1 AND issuer IS NULL",
            *(user_id, password_hash, must_change),
        )

    async def replace_password(self, user_id: int, old: str, new: str) -> bool:
        """Put the hash of a password of one's own in the place of `old`; False if that was changed meanwhile."""
        async with self._database.transaction(Role.ACCESS) as connection:
            done = await connection.execute(
                "UPDATE private.users SET password_hash = $3, must_change = false"
                " WHERE id = $1 AND password_hash = $2 AND issuer IS NULL",
                *(user_id, old, new),
            )
        return not done.endswith(" 0")

    async def rehash(self, user_id: int, old: str, new: str) -> None:
        """Put a stronger hash of the same password in the place of `old`, unless it was changed meanwhile."""
        async with self._database.transaction(Role.ACCESS) as connection:
            await connection.execute(
                "UPDATE private.users SET password_hash = $3 WHERE id = $1 AND password_hash = $2", user_id, old, new
            )

    async def change(self, user_id: int, *, role: str | None = None, enabled: bool | None = None) -> None:
        """Give somebody another role, let them in or no longer; sessions of who is disabled are ended by the caller.

        Raises StorageError for a role that does not fit the user's tenant, and for the platform's last administrator.
        """
        await self._change(
            "UPDATE private.users SET role = coalesce($2, role), disabled_at ="
            " CASE WHEN $3 THEN NULL WHEN NOT $3 THEN coalesce(disabled_at, now()) ELSE disabled_at END WHERE id = $1",
            *(user_id, role, enabled),
            keep_admin=True,
        )

    async def note_sign_in(self, user_id: int) -> None:
        await self._change("UPDATE private.users SET last_sign_in_at = now() WHERE id = $1", user_id)

    async def _change(self, statement: str, *args: object, keep_admin: bool = False) -> None:
        async with self._database.transaction(Role.ACCESS) as connection:
            if keep_admin:  # two who lock each other out wait for one another
                await connection.execute("SELECT pg_advisory_xact_lock(hashtext('platform admins'))")
            before = keep_admin and await connection.fetchval(_ADMINISTERED)
            if (await connection.execute(statement, *args)).endswith(" 0"):
                raise StorageError("there is no such user")
            if before and not await connection.fetchval(_ADMINISTERED):
                raise StorageError("somebody has to remain who administers the platform")


async def _get(connection: Connection, user_id: int) -> User | None:
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM {_FROM} WHERE u.id = $1", user_id)  # noqa: S608 - likewise
    return None if row is None else _user(row)


async def _required(connection: Connection, user_id: int) -> User:
    user = await _get(connection, user_id)
    if user is None:
        raise StorageError("there is no such user")
    return user


def _user(row: Row) -> User:
    return User(**dict(row.items()))
