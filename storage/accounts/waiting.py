"""Sign-ins that wait for a second factor or for a provider's answer: short-lived, sealed, each finished once."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

import orjson

from storage.accounts.sealing import hash_token, new_token, seal, unseal
from storage.postgres import Database
from storage.types import Role

JsonObject = dict[str, Any]
LIFE: Final = 600.0  # seconds
MOST_TRIES: Final = 5


class Waits(StrEnum):
    """What for."""

    CODE = "code"
    OIDC = "oidc"


class WaitingSignIns:
    def __init__(self, database: Database, key: bytes) -> None:
        self._database, self._key = database, key

    async def begin(self, kind: Waits, content: JsonObject) -> str:
        """Keep what is known so far; return the token that finds it again."""
        token = new_token()
        hashed = hash_token(self._key, token)
        async with self._database.transaction(Role.ACCESS) as connection:
            await connection.execute("DELETE FROM private.waiting_sign_ins WHERE ends_at < now()")
            await connection.execute(
                "INSERT INTO private.waiting_sign_ins (hash, kind, sealed, ends_at)"
                " VALUES ($1, $2, $3, now() + make_interval(secs => $4))",
                *(hashed, kind, seal(self._key, orjson.dumps(content), _bound(kind, hashed)), LIFE),
            )
        return token

    async def attempt(self, kind: Waits, token: str) -> JsonObject | None:
        """Return what is known and count a try; None once it ended, was finished, or was tried too often."""
        hashed = hash_token(self._key, token)
        async with self._database.transaction(Role.ACCESS) as connection:
            sealed = await connection.fetchval(
                "UPDATE private.waiting_sign_ins SET tries = tries + 1 WHERE hash = $1 AND kind = $2"
                " AND ends_at > now() AND tries < $3 RETURNING sealed",
                *(hashed, kind, MOST_TRIES),
            )
        return None if sealed is None else self._content(kind, hashed, sealed)

    async def finish(self, kind: Waits, token: str) -> JsonObject | None:
        """Return what is known and forget it, so that nobody finishes it a second time."""
        hashed = hash_token(self._key, token)
        async with self._database.transaction(Role.ACCESS) as connection:
            sealed = await connection.fetchval(
                "DELETE FROM private.waiting_sign_ins WHERE hash = $1 AND kind = $2 AND ends_at > now()"
                " RETURNING sealed",
                *(hashed, kind),
            )
        return None if sealed is None else self._content(kind, hashed, sealed)

    def _content(self, kind: Waits, hashed: bytes, sealed: bytes) -> JsonObject:
        content: JsonObject = orjson.loads(unseal(self._key, sealed, _bound(kind, hashed)))
        return content


def _bound(kind: Waits, hashed: bytes) -> str:
    return f"sign-in {kind} {hashed.hex()}"
