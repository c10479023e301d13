"""Sessions: begun under new tokens, seen, listed, ended; refresh tokens of which each is good once."""

from __future__ import annotations

import asyncio

import pytest

from storage.accounts.sessions import Begun, SessionStore
from storage.accounts.users import User
from storage.postgres import Database
from tests.storage.accounts.conftest import KEY, MakeUser
from tests.storage.conftest import RunStatement

pytestmark = pytest.mark.slow  # a database of their own


@pytest.fixture
def sessions(database: Database) -> SessionStore:
    return SessionStore(database, KEY, idle=1800, absolute=43_200)


@pytest.fixture
async def user(make_user: MakeUser) -> User:
    return await make_user()


async def begin(sessions: SessionStore, user: User, *, in_browser: bool = True, agent: str = "Firefox") -> Begun:
    return await sessions.begin(user.id, network="192.0.2.1", agent=agent, second_factor=False, in_browser=in_browser)


async def test_a_session_is_found_by_its_token_alone(sessions: SessionStore, user: User) -> None:
    begun = await begin(sessions, user)
    found = await sessions.by_cookie(begun.token)
    assert found is not None
    assert (found.id, found.user_id, found.network, found.in_browser) == (begun.id, user.id, "192.0.2.1", True)
    assert await sessions.by_cookie(begun.id) is None
    assert await sessions.live(begun.id) is None, "a browser's session is none of tokens"


async def test_the_token_is_not_in_the_database(sessions: SessionStore, user: User, as_superuser: RunStatement) -> None:
    begun = await begin(sessions, user)
    rows = await as_superuser("SELECT s::text FROM private.sessions AS s")
    assert all(begun.token not in row and begun.token.encode().hex() not in row for (row,) in rows)


async def test_what_a_browser_calls_itself_is_one_bounded_line(sessions: SessionStore, user: User) -> None:
    begun = await begin(sessions, user, agent="evil\r\n\x1b[31m\u202e" + "x" * 500)
    found = await sessions.by_cookie(begun.token)
    assert found is not None
    assert found.agent.isprintable()
    assert len(found.agent) == 200


async def test_a_session_is_ended_by_its_owner_alone(sessions: SessionStore, user: User, make_user: MakeUser) -> None:
    begun, other = await begin(sessions, user), await make_user()
    assert not await sessions.end(other.id, begun.id, "no")
    assert not await sessions.end(user.id, "no uuid", "no")
    assert await sessions.end(user.id, begun.id, "yes")
    assert not await sessions.end(user.id, begun.id, "again")
    assert await sessions.by_cookie(begun.token) is None


async def test_all_but_one_end(sessions: SessionStore, user: User) -> None:
    begun = [await begin(sessions, user) for _ in range(3)]
    await sessions.end_all(user.id, "test", but=begun[1].id)
    assert [session.id for session in await sessions.list(user.id)] == [begun[1].id]


async def test_a_refresh_token_used_by_two_at_once_is_good_for_one_and_ends_the_session(
    sessions: SessionStore, user: User
) -> None:
    begun = await begin(sessions, user, in_browser=False)
    outcomes = await asyncio.gather(*(sessions.refresh(begun.token) for _ in range(4)))
    good = [outcome for outcome in outcomes if outcome.session is not None]
    assert len(good) == 1
    assert await sessions.live(begun.id) is None
    assert (await sessions.refresh(good[0].token)).session is None


async def test_a_chain_of_refreshes_ends_with_the_session(
    sessions: SessionStore, user: User, as_superuser: RunStatement
) -> None:
    begun = await begin(sessions, user, in_browser=False)
    token = begun.token
    for _ in range(3):
        refreshed = await sessions.refresh(token)
        assert refreshed.session is not None
        token = refreshed.token
    await as_superuser("UPDATE private.sessions SET ends_at = now() WHERE id = $1::uuid", begun.id)
    assert (await sessions.refresh(token)).session is None


@pytest.mark.parametrize("token", ["", "psr-", "psr-" + "x" * 43, "é"])
async def test_rubbish_refreshes_nothing(sessions: SessionStore, token: str) -> None:
    refreshed = await sessions.refresh(token)
    assert (refreshed.session, refreshed.reused) == (None, False)
