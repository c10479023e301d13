"""What has ended is removed, and nothing else."""

from __future__ import annotations

import pytest

from storage.accounts.expiry import AccountExpiry
from storage.accounts.sessions import SessionStore
from storage.accounts.throttle import Gate, Throttle
from storage.accounts.token_keys import TokenKeys
from storage.postgres import Database
from tests.storage.accounts.conftest import KEY, MakeUser
from tests.storage.conftest import RunStatement

pytestmark = pytest.mark.slow  # a database of their own


async def test_old_sessions_go_with_their_tokens_and_live_ones_stay(
    database: Database, make_user: MakeUser, as_superuser: RunStatement
) -> None:
    store, user = SessionStore(database, KEY, 1800, 43_200), await make_user()
    where = {"network": "", "agent": ""}
    old, live = [await store.begin(user.id, second_factor=False, in_browser=False, **where) for _ in range(2)]
    await as_superuser("UPDATE private.sessions SET ends_at = now() - interval '8 days' WHERE id = $1::uuid", old.id)
    await AccountExpiry(database).run_once()
    left = await as_superuser(
        "SELECT s.id::text, count(t) FROM private.sessions AS s LEFT JOIN private.refresh_tokens AS t"
        " ON t.session_id = s.id WHERE s.user_id = $1 GROUP BY 1",
        user.id,
    )
    assert left == [(live.id, 1)]


async def test_a_shut_gate_stays_shut_and_the_signing_key_stays(database: Database, as_superuser: RunStatement) -> None:
    throttle, gate = Throttle(database, KEY), Gate("account", "kept", free=0, longest=900)
    await throttle.take([gate])
    await throttle.take([gate])
    kid, _ = await TokenKeys(database, KEY).current()
    await as_superuser("UPDATE private.token_keys SET made_at = made_at - interval '1 year'")
    await as_superuser(
        "UPDATE private.throttle SET until = now() + interval '1 h', last_at = now() - interval '2 days'"
    )
    await AccountExpiry(database).run_once()
    assert await throttle.take([gate]) > 0
    assert await as_superuser("SELECT count(*) FROM private.token_keys WHERE kid = $1", kid) == [(1,)]
    await as_superuser("UPDATE private.throttle SET until = now()")
    await AccountExpiry(database).run_once()
    assert await as_superuser("SELECT count(*) FROM private.throttle") == [(0,)]
