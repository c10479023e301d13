"""Delays that grow, for whoever tries, over instances and at once."""

from __future__ import annotations

import asyncio
import secrets

import pytest

from storage.accounts.throttle import Gate, Throttle
from storage.postgres import Database
from tests.storage.accounts.conftest import KEY
from tests.storage.conftest import RunStatement

pytestmark = pytest.mark.slow  # a database of their own


def gate(name: str = "", free: int = 3, *, forgiven: bool = True) -> Gate:
    return Gate("account", name or secrets.token_hex(8), free=free, longest=900, forgiven=forgiven)


@pytest.fixture
def throttle(database: Database) -> Throttle:
    return Throttle(database, KEY)


async def pass_time(as_superuser: RunStatement, seconds: float) -> None:
    await as_superuser("UPDATE private.throttle SET until = until - make_interval(secs => $1)", seconds)


async def test_a_few_tries_are_free_then_each_doubles_the_wait(throttle: Throttle, as_superuser: RunStatement) -> None:
    door = gate()
    assert [await throttle.take([door]) for _ in range(4)] == [0, 0, 0, 0]
    waits = []
    for _ in range(12):
        waits.append(await throttle.take([door]))
        await pass_time(as_superuser, waits[-1] + 1)
        assert await throttle.take([door]) == 0
    assert [round(wait) for wait in waits] == sorted(round(wait) for wait in waits)
    assert waits[0] < 2.1
    assert 800 < waits[-1] <= 900


async def test_a_shut_door_does_not_count_and_does_not_stay_shut_for_it(throttle: Throttle) -> None:
    door = gate(free=0)
    await throttle.take([door])
    await throttle.take([door])
    waits = [await throttle.take([door]) for _ in range(50)]
    assert max(waits) < 5


async def test_a_success_forgives_the_account_and_gives_back_the_one_try_of_the_network(throttle: Throttle) -> None:
    account, network = gate(), gate(forgiven=False)
    for _ in range(3):
        await throttle.take([account, network])
    await throttle.succeed([account, network])
    assert [await throttle.take([account]) for _ in range(4)] == [0] * 4
    assert [await throttle.take([network]) for _ in range(3)][:2] == [0, 0]
    assert await throttle.take([network]) > 0


async def test_one_shut_gate_shuts_all_and_the_others_count_nothing(throttle: Throttle) -> None:
    shut, other = gate(free=0), gate(free=0)
    await throttle.take([shut])
    await throttle.take([shut])
    for _ in range(5):
        assert await throttle.take([other, shut]) > 0
    assert await throttle.take([other]) == 0


async def test_many_at_once_are_counted_each(throttle: Throttle) -> None:
    """A race between tries must not give free ones."""
    door = gate(free=3)
    waits = await asyncio.gather(*(throttle.take([door]) for _ in range(30)))
    assert sum(wait == 0 for wait in waits) == 4


async def test_what_is_kept_names_nobody(throttle: Throttle, as_superuser: RunStatement) -> None:
    await throttle.take([gate("anna@acme.example")])
    rows = await as_superuser("SELECT key FROM private.throttle")
    assert all(b"anna" not in key for (key,) in rows)


async def test_after_a_day_counting_begins_anew(throttle: Throttle, as_superuser: RunStatement) -> None:
    door = gate(free=1)
    for _ in range(3):
        await throttle.take([door])
    await as_superuser("UPDATE private.throttle SET last_at = last_at - interval '25 h', until = now()")
    assert [await throttle.take([door]) for _ in range(2)] == [0, 0]


async def test_a_clock_that_is_set_back_keeps_nobody_out(throttle: Throttle, as_superuser: RunStatement) -> None:
    account, network = gate(free=1), gate(forgiven=False)
    await throttle.take([account, network])
    await throttle.succeed([network])
    await as_superuser(
        "UPDATE private.throttle SET until = until + interval '1 day', last_at = last_at + interval '1 day'"
    )
    assert await throttle.take([account, network]) == 0
    assert await throttle.take([account, network]) > 0  # failures count on, by the clock as it is now
