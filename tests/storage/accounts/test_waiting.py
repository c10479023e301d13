"""Sign-ins that wait: sealed, short-lived, finished once."""

from __future__ import annotations

import asyncio

import pytest

from storage.accounts.waiting import MOST_TRIES, WaitingSignIns, Waits
from storage.postgres import Database
from tests.storage.accounts.conftest import KEY
from tests.storage.conftest import RunStatement

pytestmark = pytest.mark.slow  # a database of their own


@pytest.fixture
def waiting(database: Database) -> WaitingSignIns:
    return WaitingSignIns(database, KEY)


async def test_what_waits_is_tried_a_few_times_and_finished_once(waiting: WaitingSignIns) -> None:
    token = await waiting.begin(Waits.CODE, {"user": 7})
    for _ in range(MOST_TRIES):
        assert await waiting.attempt(Waits.CODE, token) == {"user": 7}
    assert await waiting.attempt(Waits.CODE, token) is None
    finished = await asyncio.gather(*(waiting.finish(Waits.CODE, token) for _ in range(4)))
    assert sorted(map(bool, finished)) == [False, False, False, True]


async def test_one_kind_is_not_the_other(waiting: WaitingSignIns) -> None:
    token = await waiting.begin(Waits.OIDC, {"nonce": "n"})
    assert await waiting.attempt(Waits.CODE, token) is None
    assert await waiting.finish(Waits.CODE, token) is None
    assert await waiting.finish(Waits.OIDC, token) == {"nonce": "n"}


async def test_what_waited_too_long_is_gone(waiting: WaitingSignIns, as_superuser: RunStatement) -> None:
    token = await waiting.begin(Waits.OIDC, {})
    await as_superuser("UPDATE private.waiting_sign_ins SET ends_at = now()")
    assert await waiting.finish(Waits.OIDC, token) is None
    await waiting.begin(Waits.OIDC, {})
    assert await as_superuser("SELECT count(*) FROM private.waiting_sign_ins WHERE ends_at <= now()") == [(0,)]


async def test_what_is_kept_is_sealed(waiting: WaitingSignIns, as_superuser: RunStatement) -> None:
    await waiting.begin(Waits.OIDC, {"verifier": "very secret"})
    rows = await as_superuser("SELECT sealed FROM private.waiting_sign_ins")
    assert rows
    assert all(b"very secret" not in sealed for (sealed,) in rows)


@pytest.mark.parametrize("token", ["", "x", "é\udc80"])
async def test_rubbish_finds_nothing(waiting: WaitingSignIns, token: str) -> None:
    assert await waiting.finish(Waits.OIDC, token) is None
