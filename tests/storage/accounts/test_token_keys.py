"""Keys that sign tokens: one for all instances, made once."""

from __future__ import annotations

import asyncio

import pytest

from detectors.errors import StorageError
from storage.accounts.token_keys import TokenKeys
from storage.postgres import Database
from tests.storage.accounts.conftest import KEY

pytestmark = pytest.mark.slow  # a database of their own


async def test_instances_that_begin_at_once_share_one_key(database: Database) -> None:
    found = await asyncio.gather(*(TokenKeys(database, KEY).current() for _ in range(6)))
    assert len({kid for kid, _ in found}) == 1


async def test_a_rotated_key_is_believed_beside_the_new_one(database: Database) -> None:
    keys = TokenKeys(database, KEY)
    before, _ = await keys.current()
    after = await keys.rotate()
    assert (await keys.current())[0] == after
    assert [key.kid for key in await keys.believed()][:2] == [after, before]


async def test_an_instance_with_other_house_keys_says_so(database: Database) -> None:
    await TokenKeys(database, KEY).current()
    with pytest.raises(StorageError, match="other keys"):
        await TokenKeys(database, bytes(32)).current()
