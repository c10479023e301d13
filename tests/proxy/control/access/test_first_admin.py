"""The first administrator: made once, by one instance, with a password that has to go."""

from __future__ import annotations

import asyncio

import pytest

from proxy.control.access.first_admin import NAME, make_first_admin
from storage.accounts.users import UserStore
from storage.postgres import Database
from tests.proxy.control.access.conftest import Plane, sign_in
from tests.storage.conftest import empty_database, migrated

__all__ = ["empty_database", "migrated"]  # one of its own: nobody is there yet

pytestmark = pytest.mark.slow  # a database of their own


async def test_of_instances_that_start_at_once_one_makes_it_and_its_password_works_once(
    plane: Plane, database: Database
) -> None:
    passwords = await asyncio.gather(*(make_first_admin(database) for _ in range(3)))
    (password,) = [made for made in passwords if made]
    assert await make_first_admin(database) == ""
    user = await UserStore(database).find(NAME)
    assert user is not None
    assert (user.role, user.must_change) == ("platform_admin", True)
    answer = await sign_in(await plane.open_browser(), NAME, password)
    assert answer.headers["Location"] == "/account"
