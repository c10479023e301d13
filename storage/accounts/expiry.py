"""What has ended of accounts and tells nobody anything any more: removed."""

from __future__ import annotations

from typing import Final

from storage.postgres import Database
from storage.types import Role

# A session that ended stays a while, so that a refresh token used twice is still known for what it is.
_STATEMENTS: Final = (
    "DELETE FROM private.sessions WHERE ends_at < now() - interval '7 days' OR ended_at < now() - interval '7 days'",
    "DELETE FROM private.waiting_sign_ins WHERE ends_at < now()",
    "DELETE FROM private.throttle WHERE last_at < now() - interval '1 day' AND until < now()",
    "DELETE FROM private.service_account_secrets WHERE ends_at < now() - interval '7 days'",
    (
        "DELETE FROM private.token_keys WHERE made_at < now() - interval '90 days'"
        " AND made_at < (SELECT max(made_at) FROM private.token_keys)"
    ),
)


class AccountExpiry:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def run_once(self) -> None:
        """Raises DatabaseUnavailableError; what is left is removed the next time."""
        for statement in _STATEMENTS:
            async with self._database.transaction(Role.ACCESS) as connection:
                await connection.execute(statement)
