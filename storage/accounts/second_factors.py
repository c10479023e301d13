"""Second factors: a sealed TOTP secret, which of its steps was used last, and codes for the day the phone is lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from storage.accounts.sealing import hash_token, seal, unseal
from storage.postgres import Database
from storage.types import Role

_FAR_AHEAD: Final = 20  # steps of half a minute


@dataclass(frozen=True, slots=True, repr=False)
class SecondFactor:
    """`secret` is base32; `confirmed` once a first code has shown that its owner holds it."""

    secret: str
    confirmed: bool


class SecondFactors:
    """`key` seals the secrets and keys the hashes of recovery codes."""

    def __init__(self, database: Database, key: bytes) -> None:
        self._database, self._key = database, key

    async def begin(self, user_id: int, secret: str) -> bool:
        """Keep a secret that is to be confirmed; False if one is confirmed already, which stays."""
        sealed = seal(self._key, secret.encode(), _bound(user_id))
        async with self._database.transaction(Role.ACCESS) as connection:
            done = await connection.execute(
                "INSERT INTO private.second_factors AS f (user_id, sealed) VALUES ($1, $2) ON CONFLICT (user_id)"
                " DO UPDATE SET sealed = $2, last_step = 0 WHERE f.confirmed_at IS NULL",
                *(user_id, sealed),
            )
        return not done.endswith(" 0")

    async def find(self, user_id: int) -> SecondFactor | None:
        """Raises StorageError where it was sealed under other keys."""
        async with self._database.transaction(Role.ACCESS) as connection:
            row = await connection.fetchrow(
                "SELECT sealed, confirmed_at IS NOT NULL AS confirmed FROM private.second_factors WHERE user_id = $1",
                user_id,
            )
        if row is None:
            return None
        return SecondFactor(unseal(self._key, row["sealed"], _bound(user_id)).decode(), row["confirmed"])

    async def use_step(self, user_id: int, step: int) -> bool:
        """Use up a step of time; False if it, or a later one, was used already.

        One that lies further ahead than clocks may differ was used by a clock that was wrong: it must lock nobody out.
        """
        async with self._database.transaction(Role.ACCESS) as connection:
            done = await connection.execute(
                "UPDATE private.second_factors SET last_step = $2"
                " WHERE user_id = $1 AND (last_step < $2 OR last_step > $2 + $3)",
                user_id,
                step,
                _FAR_AHEAD,
            )
        return not done.endswith(" 0")

    async def confirm(self, user_id: int, codes: Sequence[str]) -> bool:
        """Ask for the second factor from now on, with new recovery codes; False if it is confirmed already."""
        async with self._database.transaction(Role.ACCESS) as connection:
            done = await connection.execute(
                "UPDATE private.second_factors SET confirmed_at = now() WHERE user_id = $1 AND confirmed_at IS NULL",
                user_id,
            )
            if done.endswith(" 0"):
                return False
            await connection.execute("DELETE FROM private.recovery_codes WHERE user_id = $1", user_id)
            await connection.execute(
                "INSERT INTO private.recovery_codes (user_id, hash) SELECT $1, unnest($2::bytea[])",
                *(user_id, [self._hash(user_id, code) for code in codes]),
            )
        return True

    async def use_recovery_code(self, user_id: int, code: str) -> bool:
        """Use a recovery code up; False if there is none such, or it was used."""
        async with self._database.transaction(Role.ACCESS) as connection:
            done = await connection.execute(
                "UPDATE private.recovery_codes SET used_at = now()"
                " WHERE user_id = $1 AND hash = $2 AND used_at IS NULL",
                *(user_id, self._hash(user_id, code)),
            )
        return not done.endswith(" 0")

    async def codes_left(self, user_id: int) -> int:
        async with self._database.transaction(Role.ACCESS) as connection:
            count: int = await connection.fetchval(
                "SELECT count(*) FROM private.recovery_codes WHERE user_id = $1 AND used_at IS NULL", user_id
            )
        return count

    async def remove(self, user_id: int) -> None:
        async with self._database.transaction(Role.ACCESS) as connection:
            await connection.execute("DELETE FROM private.second_factors WHERE user_id = $1", user_id)
            await connection.execute("DELETE FROM private.recovery_codes WHERE user_id = $1", user_id)

    def _hash(self, user_id: int, code: str) -> bytes:
        return hash_token(self._key, f"{user_id} {code}")


def _bound(user_id: int) -> str:
    return f"second-factor {user_id}"
