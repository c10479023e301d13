"""Second factors at rest: sealed, each step and each code good once."""

from __future__ import annotations

import asyncio

import pytest

from detectors.errors import StorageError
from storage.accounts.second_factors import SecondFactors
from storage.accounts.users import User
from storage.postgres import Database
from tests.storage.accounts.conftest import KEY, MakeUser
from tests.storage.conftest import RunStatement

pytestmark = pytest.mark.slow  # a database of their own
SECRET = "JBSWY3DPEHPK3PXP"


@pytest.fixture
def factors(database: Database) -> SecondFactors:
    return SecondFactors(database, KEY)


@pytest.fixture
async def user(make_user: MakeUser) -> User:
    return await make_user()


async def test_a_secret_is_sealed_for_one_user_under_one_key(
    factors: SecondFactors, user: User, database: Database, as_superuser: RunStatement
) -> None:
    await factors.begin(user.id, SECRET)
    ((sealed,),) = await as_superuser("SELECT sealed FROM private.second_factors WHERE user_id = $1", user.id)
    assert SECRET.encode() not in sealed
    found = await factors.find(user.id)
    assert found is not None
    assert (found.secret, found.confirmed) == (SECRET, False)
    with pytest.raises(StorageError, match="does not open"):
        await SecondFactors(database, bytes(32)).find(user.id)


async def test_a_confirmed_secret_is_not_replaced(factors: SecondFactors, user: User) -> None:
    assert await factors.begin(user.id, SECRET)
    assert await factors.begin(user.id, SECRET[::-1]), "one that waits may be made anew"
    assert await factors.confirm(user.id, ["aaaaa-aaaaa"])
    assert not await factors.begin(user.id, SECRET)
    assert not await factors.confirm(user.id, ["b"])


async def test_a_step_is_used_once_and_none_before_it(factors: SecondFactors, user: User) -> None:
    await factors.begin(user.id, SECRET)
    assert await factors.use_step(user.id, 100)
    assert not await factors.use_step(user.id, 100)
    assert not await factors.use_step(user.id, 99)
    assert await factors.use_step(user.id, 101)


async def test_a_clock_that_was_ahead_locks_nobody_out(factors: SecondFactors, user: User) -> None:
    await factors.begin(user.id, SECRET)
    assert await factors.use_step(user.id, 100 + 2880)  # a day
    assert await factors.use_step(user.id, 100)
    assert not await factors.use_step(user.id, 100)
    assert await factors.use_step(user.id, 101)


async def test_of_two_who_use_a_step_at_once_one_gets_in(factors: SecondFactors, user: User) -> None:
    await factors.begin(user.id, SECRET)
    assert sum(await asyncio.gather(*(factors.use_step(user.id, 7) for _ in range(8)))) == 1


async def test_a_recovery_code_is_its_owners_and_good_once(
    factors: SecondFactors, user: User, make_user: MakeUser
) -> None:
    other = await make_user()
    await factors.begin(user.id, SECRET)
    await factors.confirm(user.id, ["code1", "code2"])
    assert not await factors.use_recovery_code(other.id, "code1")
    assert sum(await asyncio.gather(*(factors.use_recovery_code(user.id, "code1") for _ in range(4)))) == 1
    assert await factors.codes_left(user.id) == 1


async def test_removing_it_removes_its_codes(factors: SecondFactors, user: User) -> None:
    await factors.begin(user.id, SECRET)
    await factors.confirm(user.id, ["code1"])
    await factors.remove(user.id)
    assert await factors.find(user.id) is None
    assert not await factors.use_recovery_code(user.id, "code1")
