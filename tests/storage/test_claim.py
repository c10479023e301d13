"""A database belongs to the installation that claimed it first."""

from __future__ import annotations

import asyncio

import pytest

from detectors.errors import DatabaseUnavailableError, StorageError
from storage.claim import claim_database
from storage.postgres import Database
from tests.storage.conftest import DatabaseUrls, RunStatement


@pytest.fixture(autouse=True)
async def unclaimed(as_superuser: RunStatement) -> None:
    await as_superuser("DELETE FROM private.installation")


async def test_the_first_to_come_claims_it_and_may_come_again(database: Database) -> None:
    await claim_database(database, "ours")
    await claim_database(database, "ours")


async def test_another_pepper_is_turned_away_and_told_what_to_do(database: Database) -> None:
    await claim_database(database, "ours")
    with pytest.raises(StorageError, match=r"another pepper.*PROMPTSHIELD_PEPPER"):
        await claim_database(database, "theirs")
    await claim_database(database, "ours")


async def test_of_two_at_once_one_wins(database: Database) -> None:
    claims = (claim_database(database, "ours"), claim_database(database, "theirs"))
    outcomes = await asyncio.gather(*claims, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {type(None), StorageError}


async def test_a_database_that_is_away_is_no_strangers(migrated: DatabaseUrls) -> None:
    database = await Database.connect(migrated.url, size=1)
    await database.close()
    with pytest.raises(DatabaseUnavailableError):
        await claim_database(database, "ours")
