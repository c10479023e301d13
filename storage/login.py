"""What the run-time login may do beyond what it should."""

from __future__ import annotations

from storage.postgres import Database
from storage.types import Role


async def login_warnings(database: Database) -> tuple[str, ...]:
    """Return what is too much about the login: a superuser, or one that can become the owner of all tables."""
    async with database.transaction(Role.READER) as connection:
        superuser = await connection.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = session_user")
        owner = await connection.fetchval("SELECT pg_has_role(session_user, 'ps_owner', 'MEMBER')")
    if superuser:
        return ("the run-time login is a superuser, whom row security does not hold: use a plain login",)
    if owner:
        return ("the run-time login can become ps_owner: give DATABASE_OWNER_URL a login of its own",)
    return ()
