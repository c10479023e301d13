"""The keys that sign access tokens: a new one now and then, the ones before it believed while their tokens last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from storage.accounts.sealing import seal, unseal
from storage.chains.signing import key_id
from storage.postgres import Connection, Database
from storage.types import Role

USED_FOR: Final = 30 * 86_400.0  # seconds
BELIEVED_FOR: Final = 86_400.0  # seconds after the next one came; a token lives ten minutes
_BELIEVED: Final = """
SELECT kid, public FROM (
    SELECT kid, public, made_at, lag(made_at) OVER (ORDER BY made_at DESC) AS next_made_at FROM private.token_keys
) AS keys WHERE next_made_at IS NULL OR next_made_at > now() - make_interval(secs => $1) ORDER BY made_at DESC
"""
_LOCK: Final = 0x70735F746B6579  # "ps_tkey": of two instances that want a new key one makes it


@dataclass(frozen=True, slots=True)
class PublicKey:
    """An Ed25519 public key (32 bytes) that tokens may be signed with."""

    kid: str
    public: bytes


class TokenKeys:
    """`key` seals the private keys."""

    def __init__(self, database: Database, key: bytes) -> None:
        self._database, self._key = database, key

    async def current(self) -> tuple[str, Ed25519PrivateKey]:
        """Return the key that signs now, made if there is none or the last one has had its time."""
        async with self._database.transaction(Role.ACCESS) as connection:
            found = await self._newest(connection)
            if found is None:
                await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
                found = await self._newest(connection) or await self._make(connection)
        return found

    async def rotate(self) -> str:
        """Make a new key, which signs from now on; return its id."""
        async with self._database.transaction(Role.ACCESS) as connection:
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
            kid, _ = await self._make(connection)
        return kid

    async def believed(self) -> tuple[PublicKey, ...]:
        """The keys whose tokens are taken, the newest first."""
        async with self._database.transaction(Role.ACCESS) as connection:
            rows = await connection.fetch(_BELIEVED, BELIEVED_FOR)
        return tuple(PublicKey(row["kid"], row["public"]) for row in rows)

    async def _newest(self, connection: Connection) -> tuple[str, Ed25519PrivateKey] | None:
        row = await connection.fetchrow(
            "SELECT kid, sealed FROM private.token_keys WHERE made_at > now() - make_interval(secs => $1)"
            " ORDER BY made_at DESC LIMIT 1",
            USED_FOR,
        )
        if row is None:
            return None
        seed = unseal(self._key, row["sealed"], f"token-key {row['kid']}")
        return row["kid"], Ed25519PrivateKey.from_private_bytes(seed)

    async def _make(self, connection: Connection) -> tuple[str, Ed25519PrivateKey]:
        private = Ed25519PrivateKey.generate()
        public = private.public_key().public_bytes_raw()
        kid = key_id(public)
        sealed = seal(self._key, private.private_bytes_raw(), f"token-key {kid}")
        await connection.execute(
            "INSERT INTO private.token_keys (kid, public, sealed, made_at) VALUES ($1, $2, $3, clock_timestamp())",
            *(kid, public, sealed),
        )
        return kid, private
