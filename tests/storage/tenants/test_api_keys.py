"""API keys: their form, and who is found by one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.errors import StorageError
from storage.postgres import Database
from storage.tenants.api_keys import ApiKeyStore, generate_key, hash_key, shown_prefix, well_formed
from storage.types import Identity, Tenant
from tests.storage.conftest import RunStatement

pytestmark = pytest.mark.slow  # a database of their own

PEPPER = b"pepper for tests"


@pytest.fixture
def store(database: Database) -> ApiKeyStore:
    return ApiKeyStore(database, PEPPER)


def test_a_generated_key_is_well_formed_and_new() -> None:
    keys = {generate_key() for _ in range(200)}
    assert len(keys) == 200
    assert all(well_formed(key) and len(key) == 44 and key.startswith("sk-ps-") for key in keys)


@given(st.integers(6, 43), st.characters(codec="ascii"))
def test_one_wrong_character_is_told(place: int, character: str) -> None:
    key = generate_key()
    mistyped = key[:place] + character + key[place + 1 :]
    assert well_formed(mistyped) == (mistyped == key)


@pytest.mark.parametrize("text", ["", "sk-ps-", "sk-" + "a" * 48, "sk-ps-" + "a" * 38, "sk-ps-" + "é" * 38])
def test_other_text_is_not_well_formed(text: str) -> None:
    assert not well_formed(text)


def test_a_key_with_something_around_it_is_not_well_formed() -> None:
    key = generate_key()
    assert not any(well_formed(text) for text in (key + "\n", " " + key, key + "0", key[:-1], key.upper()))


def test_the_form_of_old_keys_stays_valid() -> None:
    assert well_formed("sk-ps-EXAMPLE0EXAMPLE0EXAMPLE0EXAMPLE04ZkqkX")


def test_the_hash_depends_on_the_pepper() -> None:
    key = generate_key()
    assert hash_key(b"one", key) == hash_key(b"one", key) != hash_key(b"two", key)
    assert len(hash_key(b"one", key)) == 32


async def test_a_key_names_its_tenant_and_app(store: ApiKeyStore, tenant: Tenant) -> None:
    key_id, key = await store.create(tenant.slug, "billing")
    found = await store.find(hash_key(PEPPER, key))
    assert found is not None
    assert found == Identity(tenant.id, tenant.slug, found.app_id, "billing", key_id)


async def test_two_keys_of_one_app_share_it(store: ApiKeyStore, tenant: Tenant) -> None:
    found = [await store.find(hash_key(PEPPER, (await store.create(tenant.slug))[1])) for _ in range(2)]
    assert len({identity.app_id for identity in found if identity}) == 1


async def test_the_key_itself_is_stored_nowhere(store: ApiKeyStore, tenant: Tenant, as_superuser: RunStatement) -> None:
    _, key = await store.create(tenant.slug)
    ((row,),) = await as_superuser("SELECT to_jsonb(k)::text FROM public.api_keys AS k WHERE tenant_id = $1", tenant.id)
    assert shown_prefix(key) in row
    assert key[10:] not in row


async def test_an_unknown_key_is_nobodys(store: ApiKeyStore) -> None:
    assert await store.find(hash_key(PEPPER, generate_key())) is None


@pytest.mark.parametrize("by", ["id", "id as text", "prefix", "shown"])
async def test_a_revoked_key_is_nobodys(store: ApiKeyStore, tenant: Tenant, by: str) -> None:
    key_id, key = await store.create(tenant.slug)
    names: dict[str, int | str] = {
        "id": key_id,
        "id as text": str(key_id),
        "prefix": key[:10],
        "shown": shown_prefix(key),
    }
    await store.revoke(names[by])
    assert await store.find(hash_key(PEPPER, key)) is None
    with pytest.raises(StorageError, match="no such live key"):
        await store.revoke(key_id)


async def test_an_expired_key_is_nobodys(store: ApiKeyStore, tenant: Tenant) -> None:
    now = datetime.now(UTC)
    _, dead = await store.create(tenant.slug, expires_at=now - timedelta(seconds=1))
    _, live = await store.create(tenant.slug, expires_at=now + timedelta(hours=1))
    assert await store.find(hash_key(PEPPER, dead)) is None
    assert await store.find(hash_key(PEPPER, live)) is not None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE public.tenants SET suspended_at = now() WHERE id = $1",
        "UPDATE public.tenants SET deleted_at = now() WHERE id = $1",
    ],
)
async def test_a_key_of_an_ended_tenant_is_nobodys(
    store: ApiKeyStore, tenant: Tenant, as_superuser: RunStatement, statement: str
) -> None:
    _, key = await store.create(tenant.slug)
    await as_superuser(statement, tenant.id)
    assert await store.find(hash_key(PEPPER, key)) is None


async def test_a_prefix_that_names_two_keys_revokes_neither(
    store: ApiKeyStore, tenant: Tenant, as_superuser: RunStatement
) -> None:
    (_, one), (_, two) = await store.create(tenant.slug), await store.create(tenant.slug)
    await as_superuser("UPDATE public.api_keys SET prefix = 'sk-ps-same…' WHERE tenant_id = $1", tenant.id)
    with pytest.raises(StorageError, match="revoke by id"):
        await store.revoke("sk-ps-same")
    assert await store.find(hash_key(PEPPER, one))
    assert await store.find(hash_key(PEPPER, two))


async def test_a_tenant_lists_its_own_keys(store: ApiKeyStore, tenant: Tenant, neighbour: Tenant) -> None:
    await store.create(neighbour.slug)
    key_id, key = await store.create(tenant.slug, name="laptop")
    await store.revoke(key_id)
    (listed,) = await store.list(tenant.slug)
    assert (listed.id, listed.app, listed.prefix, listed.name) == (key_id, "default", shown_prefix(key), "laptop")
    assert listed.revoked_at is not None
    assert listed.last_used_at is None


async def test_an_unknown_tenant_is_named(store: ApiKeyStore) -> None:
    with pytest.raises(StorageError, match='no tenant "nobody"'):
        await store.create("nobody")


@pytest.mark.parametrize("app", ["", "../etc", "a/b", ".hidden", "Upper", "a\n", "x" * 64, "a.tests", "bot.txt"])
async def test_an_app_that_could_not_name_a_file_is_refused(store: ApiKeyStore, tenant: Tenant, app: str) -> None:
    with pytest.raises(StorageError, match="an app's name"):
        await store.create(tenant.slug, app)
