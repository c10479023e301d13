"""The first administrator: made at the first start, with a password for one time."""

from __future__ import annotations

from detectors.errors import StorageError
from proxy.control.access.passwords import Passwords, one_time_password
from proxy.control.access.types import AdminRole
from storage.accounts.admin_audit import AdminAudit
from storage.accounts.users import NewUser, UserStore
from storage.postgres import Database

NAME = "admin"


async def make_first_admin(database: Database) -> str:
    """Return the one-time password of the new first administrator; empty where there are users already."""
    users = UserStore(database)
    if await users.any():
        return ""
    password = one_time_password()
    hashed = await Passwords().hash(password)
    try:
        await users.create(NewUser(NAME, AdminRole.PLATFORM_ADMIN, None, hashed, must_change=True))
    except StorageError:
        if await users.any():
            return ""  # another instance was faster, and printed its own
        raise
    await AdminAudit(database).add("first start", "users.create", None, NAME, {"after": {"role": "platform_admin"}})
    return password
