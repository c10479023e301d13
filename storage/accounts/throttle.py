"""Growing delays after failed tries, kept in the database, so that they hold over instances and restarts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from storage.accounts.sealing import hash_token
from storage.postgres import Connection, Database
from storage.types import Role

_FORGOTTEN: Final = 86_400.0  # seconds without a failure after which counting begins anew
# A try so many seconds ahead was made before the clock was set back: it shuts nothing until then. Tries at once are
# transactions that began at other moments, and far less apart.
_AHEAD: Final = 60.0
# A try is counted before its outcome is known: of many at once each one counts.
_TAKE: Final = """
INSERT INTO private.throttle AS t (key, failures, until) VALUES ($1, 1, now())
ON CONFLICT (key) DO UPDATE SET
    failures = CASE WHEN t.last_at < now() - make_interval(secs => $4) THEN 1 ELSE t.failures + 1 END,
    last_at = now(),
    until = now() + make_interval(secs => CASE
        WHEN t.last_at < now() - make_interval(secs => $4) OR t.failures < $2 THEN 0
        ELSE least($3, power(2, least(t.failures - $2, 30)))
    END)
WHERE t.until <= now() OR t.last_at > now() + make_interval(secs => $5)
RETURNING failures
"""
_WAIT: Final = "SELECT extract(epoch FROM until - now())::float8 FROM private.throttle WHERE key = $1"
_FORGET: Final = "DELETE FROM private.throttle WHERE key = $1"
_RETURN: Final = "UPDATE private.throttle SET failures = greatest(0, failures - 1), until = now() WHERE key = $1"


@dataclass(frozen=True, slots=True)
class Gate:
    """What tries are counted by: `name` of a `kind`. After `free` failures each further one doubles the delay, up to
    `longest` seconds. `forgiven` gates start anew after a success, others take back the one try.
    """

    kind: str
    name: str
    free: int
    longest: float
    forgiven: bool = True


class Throttle:
    """`key` names the gates in the database, so that a stolen table tells of nobody who failed."""

    def __init__(self, database: Database, key: bytes) -> None:
        self._database, self._key = database, key

    async def take(self, gates: Sequence[Gate]) -> float:
        """Count a try at every gate; return 0, or the seconds to wait if one is shut, and then count nothing."""
        hashes = {hash_token(self._key, f"{gate.kind} {gate.name}"): gate for gate in gates}
        try:
            async with self._database.transaction(Role.ACCESS) as connection:
                for key, gate in sorted(hashes.items()):  # one order for all, so that two wait instead of deadlocking
                    if await connection.fetchval(_TAKE, key, gate.free, gate.longest, _FORGOTTEN, _AHEAD) is None:
                        raise _ShutError(await _wait(connection, key))  # noqa: TRY301 - the roll-back is the point
        except _ShutError as exc:
            return exc.seconds
        return 0.0

    async def succeed(self, gates: Sequence[Gate]) -> None:
        """Say that the try that was counted was a good one."""
        async with self._database.transaction(Role.ACCESS) as connection:
            for gate in gates:
                key = hash_token(self._key, f"{gate.kind} {gate.name}")
                await connection.execute(_FORGET if gate.forgiven else _RETURN, key)


class _ShutError(Exception):
    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__()


async def _wait(connection: Connection, key: bytes) -> float:
    seconds: float | None = await connection.fetchval(_WAIT, key)
    return max(1.0, seconds or 0.0)
