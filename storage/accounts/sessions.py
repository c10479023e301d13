"""Sign-ins that last: by a cookie, or by refresh tokens of which each is good once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from storage.accounts.sealing import hash_token, new_token
from storage.postgres import Connection, Database
from storage.types import Role

REFRESH_PREFIX: Final = "psr-"
_AGENT: Final = 200  # characters of a browser's name for itself
_COLUMNS: Final = (
    "s.id::text, s.user_id, s.created_at, s.last_seen_at, s.ends_at, s.network, s.agent, s.second_factor,"
    " s.cookie_hash IS NOT NULL AS in_browser"
)
_LIVE: Final = "s.ended_at IS NULL AND s.ends_at > now()"
_IDLE: Final = "s.last_seen_at > now() - make_interval(secs => $2)"
# Not at every request: a page asks for many things at once.
_SEEN: Final = (
    "UPDATE private.sessions SET last_seen_at = now() WHERE id = $1::uuid AND last_seen_at < now() - interval '30 s'"
)
_END: Final = "UPDATE private.sessions SET ended_at = now(), ended_for = $2 WHERE ended_at IS NULL"


@dataclass(frozen=True, slots=True)
class Session:
    """`network` and `agent` are where it began. `in_browser` tells a cookie's from one of tokens."""

    id: str
    user_id: int
    created_at: datetime
    last_seen_at: datetime
    ends_at: datetime
    network: str
    agent: str
    second_factor: bool
    in_browser: bool


@dataclass(frozen=True, slots=True)
class Begun:
    """A new session and what its owner shows from now on: the cookie's value, or the first refresh token."""

    id: str
    token: str


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What became of a refresh token. `reused`: it had been used before, and its whole session has ended for that:
    that of the user `ended_of`, called `ended`.
    """

    session: Session | None
    token: str = ""
    reused: bool = False
    ended: str = ""
    ended_of: int = 0


class SessionStore:
    """`key` keys the hashes of tokens; `idle` and `absolute` are in seconds. For sessions of tokens
    `absolute` alone counts: every refresh is a sign of life.
    """

    def __init__(self, database: Database, key: bytes, idle: float, absolute: float) -> None:
        self._database, self._key, self._idle, self._absolute = database, key, idle, absolute

    async def begin(self, user_id: int, *, network: str, agent: str, second_factor: bool, in_browser: bool) -> Begun:
        """Start a session, always under a new token."""
        token = new_token("" if in_browser else REFRESH_PREFIX)
        hashed = hash_token(self._key, token)
        async with self._database.transaction(Role.ACCESS) as connection:
            session_id: str = await connection.fetchval(
                "INSERT INTO private.sessions (user_id, cookie_hash, ends_at, network, agent, second_factor)"
                " VALUES ($1, $2, now() + make_interval(secs => $3), $4, $5, $6) RETURNING id::text",
                *(user_id, hashed if in_browser else None, self._absolute, network, _plain(agent), second_factor),
            )
            if not in_browser:
                await _add_refresh(connection, hashed, session_id)
        return Begun(session_id, token)

    async def by_cookie(self, token: str) -> Session | None:
        """Return the live session of a cookie, and note that it was seen."""
        async with self._database.transaction(Role.ACCESS) as connection:
            row = await connection.fetchrow(
                f"SELECT {_COLUMNS} FROM private.sessions AS s WHERE s.cookie_hash = $1 AND {_LIVE} AND {_IDLE}",  # noqa: S608 - our own words
                *(hash_token(self._key, token), self._idle),
            )
            if row is None:
                return None
            await connection.execute(_SEEN, row["id"])
        return Session(**dict(row.items()))

    async def live(self, session_id: str) -> Session | None:
        """Return a session of tokens that has not ended."""
        async with self._database.transaction(Role.ACCESS) as connection:
            return await _live(connection, session_id)

    async def refresh(self, token: str) -> Refreshed:
        """Use a refresh token up for a new one. One that was used before ends its session, whoever shows it."""
        hashed = hash_token(self._key, token)
        async with self._database.transaction(Role.ACCESS) as connection:
            session_id = await connection.fetchval(
                "UPDATE private.refresh_tokens SET used_at = now() WHERE hash = $1 AND used_at IS NULL"
                " RETURNING session_id::text",
                hashed,
            )
            if session_id is None:
                ended = await connection.fetchrow(
                    f"{_END} AND id = (SELECT session_id FROM private.refresh_tokens WHERE hash = $1)"  # noqa: S608
                    " RETURNING id::text, user_id",
                    *(hashed, "a refresh token was used twice"),
                )
                return Refreshed(None) if ended is None else Refreshed(None, "", True, ended["id"], ended["user_id"])
            session = await _live(connection, session_id)
            if session is None:
                return Refreshed(None)
            following = new_token(REFRESH_PREFIX)
            await _add_refresh(connection, hash_token(self._key, following), session_id)
            await connection.execute("UPDATE private.sessions SET last_seen_at = now() WHERE id = $1::uuid", session_id)
        return Refreshed(session, following)

    async def list(self, user_id: int) -> tuple[Session, ...]:
        """The live sessions of somebody, the newest first."""
        async with self._database.transaction(Role.ACCESS) as connection:
            rows = await connection.fetch(
                f"SELECT {_COLUMNS} FROM private.sessions AS s WHERE s.user_id = $1 AND {_LIVE}"  # noqa: S608 - our own words
                f" AND (s.cookie_hash IS NULL OR {_IDLE}) ORDER BY s.created_at DESC LIMIT 200",
                *(user_id, self._idle),
            )
        return tuple(Session(**dict(row.items())) for row in rows)

    async def end(self, user_id: int, session_id: str, reason: str) -> bool:
        """End one of somebody's sessions; False if there is no such live one."""
        async with self._database.transaction(Role.ACCESS) as connection:
            done = await connection.execute(f"{_END} AND user_id = $1 AND id::text = $3", user_id, reason, session_id)
        return not done.endswith(" 0")

    async def end_all(self, user_id: int, reason: str, *, but: str | None = None) -> None:
        """End all of somebody's sessions, but for the one that may go on."""
        async with self._database.transaction(Role.ACCESS) as connection:
            await connection.execute(f"{_END} AND user_id = $1 AND id::text IS DISTINCT FROM $3", user_id, reason, but)


async def _live(connection: Connection, session_id: str) -> Session | None:
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM private.sessions AS s WHERE s.id::text = $1 AND s.cookie_hash IS NULL AND {_LIVE}",  # noqa: S608 - our own words
        session_id,
    )
    return None if row is None else Session(**dict(row.items()))


async def _add_refresh(connection: Connection, hashed: bytes, session_id: str) -> None:
    await connection.execute(
        "INSERT INTO private.refresh_tokens (hash, session_id) VALUES ($1, $2::uuid)", hashed, session_id
    )


def _plain(agent: str) -> str:
    """What a browser says of itself, as a line that is safe to show and to print."""
    return "".join(character for character in agent if character.isprintable())[:_AGENT]
