"""Known attacks in the database: kept as vectors, told to every instance, off where pgvector is missing."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.errors import StorageError
from detectors.models.known_attacks import WIDTH
from detectors.types import Category
from storage.attacks import AttackStore
from storage.postgres import Database
from storage.revisions import read_revisions
from storage.types import Role
from tests.storage.conftest import RunStatement

VECTOR = [0.6, -0.8] + [0.0] * (WIDTH - 2)


@pytest.fixture
async def store(database: Database, as_superuser: RunStatement) -> AttackStore:
    await as_superuser("DELETE FROM private.known_attacks")
    return AttackStore(database)


async def test_what_is_added_is_looked_for_until_it_is_removed(store: AttackStore, database: Database) -> None:
    before = (await read_revisions(database)).attacks
    number = await store.add(VECTOR, "m1", Category.JAILBREAK, "the parrot trick", "cli:anna")
    (listed,) = await store.list() or ()
    assert (listed.id, listed.category, listed.note, listed.author) == (
        number,
        "jailbreak",
        "the parrot trick",
        "cli:anna",
    )
    known = await store.vectors("m1")
    assert known.categories == (Category.JAILBREAK,)
    assert known.nearest(np.array([VECTOR], np.float32))[0] == pytest.approx(1.0, abs=0.01)
    assert [await store.remove(number, "cli:anna"), await store.remove(number, "cli:anna")] == [True, False]
    assert len(await store.vectors("m1")) == 0
    assert (await read_revisions(database)).attacks == before + 2


async def test_an_attack_is_known_once(store: AttackStore) -> None:
    number = await store.add(VECTOR, "m1", Category.JAILBREAK, "the parrot trick", "cli:anna")
    with pytest.raises(StorageError, match=f"known already, as attack {number}"):
        await store.add(VECTOR, "m1", Category.PROMPT_INJECTION, "again", "cli:ben")
    assert await store.add(VECTOR, "m2", Category.JAILBREAK, "for the new model", "cli:anna") > number
    assert await store.add([0.8, -0.6, *VECTOR[2:]], "m1", Category.JAILBREAK, "another", "cli:anna") > number


async def test_vectors_of_another_model_are_not_compared(store: AttackStore) -> None:
    await store.add(VECTOR, "m1", Category.JAILBREAK, "old", "cli:anna")
    assert len(await store.vectors("m2")) == 0


async def test_every_change_is_in_the_admin_audit(store: AttackStore, as_superuser: RunStatement) -> None:
    number = await store.add(VECTOR, "m1", Category.PROMPT_INJECTION, "why", "cli:ben")
    await store.remove(number, "cli:ben")
    rows = await as_superuser(
        "SELECT action, actor FROM private.admin_audit WHERE target = $1 AND action LIKE 'attack.%' ORDER BY id",
        str(number),
    )
    assert [tuple(row) for row in rows] == [("attack.add", "cli:ben"), ("attack.remove", "cli:ben")]


async def test_nobody_writes_past_the_functions(store: AttackStore, database: Database) -> None:
    del store
    with pytest.raises(StorageError):
        async with database.transaction(Role.APP) as connection:
            await connection.execute("DELETE FROM private.known_attacks")


async def test_without_pgvector_it_is_off_and_says_so(database: Database, as_superuser: RunStatement) -> None:
    await as_superuser("DROP EXTENSION IF EXISTS vector CASCADE")
    await as_superuser("DROP TABLE IF EXISTS private.known_attacks")
    store = AttackStore(database)
    assert await store.list() is None
    assert len(await store.vectors("m1")) == 0
    with pytest.raises(StorageError, match="CREATE EXTENSION vector"):
        await store.add(VECTOR, "m1", Category.JAILBREAK, "x", "cli:anna")
    await as_superuser("CREATE EXTENSION vector SCHEMA public")
    assert await store.list() == ()
    await store.add(VECTOR, "m1", Category.JAILBREAK, "x", "cli:anna")
