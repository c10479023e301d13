"""Objects at providers: known to the tenant that made them, at the upstream where they live, until they expire."""

from __future__ import annotations

import pytest

from storage.postgres import Database
from storage.provider_objects import ProviderObjects
from storage.types import ObjectName, Role, Tenant
from storage.uuid7 import uuid7
from tests.storage.conftest import RunStatement

pytestmark = pytest.mark.slow

_ENDING = "UPDATE public.provider_objects SET expires_at = now()"
FIRST, SECOND = ObjectName("response", "resp_1"), ObjectName("file", "file-2")


@pytest.fixture
def objects(database: Database) -> ProviderObjects:
    return ProviderObjects(database)


async def test_what_was_noted_is_known_and_nothing_else_is(objects: ProviderObjects, tenant: Tenant) -> None:
    assert await objects.note(tenant.id, "openai", {FIRST}, uuid7()) == 1

    assert await objects.unknown(tenant.id, "openai", {FIRST, SECOND}) == {SECOND}
    assert await objects.unknown(tenant.id, "openai", {ObjectName("file", FIRST.id)}) == {ObjectName("file", FIRST.id)}


async def test_nobody_elses_objects_are_known(objects: ProviderObjects, tenant: Tenant, neighbour: Tenant) -> None:
    await objects.note(tenant.id, "openai", {FIRST})

    assert await objects.unknown(neighbour.id, "openai", {FIRST}) == {FIRST}
    assert await objects.unknown(tenant.id, "azure", {FIRST}) == {FIRST}


async def test_to_note_twice_is_to_note_once(objects: ProviderObjects, tenant: Tenant, database: Database) -> None:
    for _ in range(2):
        await objects.note(tenant.id, "openai", {FIRST, SECOND}, uuid7())
    async with database.transaction(Role.APP, tenant.id) as connection:
        assert await connection.fetchval("SELECT count(*) FROM public.provider_objects") == 2


@pytest.mark.parametrize(
    "name",
    [ObjectName("response", "my text"), ObjectName("response", ""), ObjectName("response", "x" * 257),
     ObjectName("response", "a\x00b"), ObjectName("Response!", "resp_1")],
)  # fmt: skip
async def test_what_can_be_no_object_is_never_known(objects: ProviderObjects, tenant: Tenant, name: ObjectName) -> None:
    assert await objects.note(tenant.id, "openai", {name}) == 0
    assert await objects.unknown(tenant.id, "openai", {name}) == {name}


async def test_what_nobody_leans_on_is_forgotten(
    objects: ProviderObjects, tenant: Tenant, as_superuser: RunStatement
) -> None:
    await objects.note(tenant.id, "openai", {FIRST, SECOND})
    await as_superuser(f"{_ENDING} WHERE tenant_id = $1 AND object = $2", tenant.id, FIRST.id)

    assert await objects.unknown(tenant.id, "openai", {FIRST, SECOND}) == {FIRST}
    assert await objects.expire() >= 1
    left = await as_superuser("SELECT object FROM public.provider_objects WHERE tenant_id = $1", tenant.id)
    assert left == [(SECOND.id,)]


async def test_whoever_is_leant_on_lives_on(
    objects: ProviderObjects, tenant: Tenant, as_superuser: RunStatement
) -> None:
    await objects.note(tenant.id, "openai", {FIRST})
    await as_superuser(f"{_ENDING} + interval '1 hour' WHERE tenant_id = $1", tenant.id)
    await objects.unknown(tenant.id, "openai", {FIRST})

    asked = "SELECT expires_at > now() + interval '29 days' FROM public.provider_objects WHERE tenant_id = $1"
    assert await as_superuser(asked, tenant.id) == [(True,)]


async def test_what_an_object_was_written_with_is_kept_for_its_tenant_alone(
    objects: ProviderObjects, tenant: Tenant, neighbour: Tenant
) -> None:
    for owner in (tenant, neighbour):
        await objects.note(owner.id, "openai", {FIRST, SECOND})
    await objects.keep_pseudonyms(tenant.id, "openai", {FIRST: b"sealed", ObjectName("file", "never noted"): b"x"})

    assert await objects.pseudonyms(tenant.id, "openai", {FIRST, SECOND}) == {FIRST: b"sealed"}
    assert await objects.pseudonyms(neighbour.id, "openai", {FIRST}) == {}
    assert await objects.pseudonyms(tenant.id, "azure", {FIRST}) == {}


async def test_noted_again_it_keeps_them_and_written_again_it_has_the_new_ones(
    objects: ProviderObjects, tenant: Tenant
) -> None:
    await objects.note(tenant.id, "openai", {FIRST})
    for sealed in (b"old", b"new"):
        await objects.keep_pseudonyms(tenant.id, "openai", {FIRST: sealed})
        await objects.note(tenant.id, "openai", {FIRST})
        assert await objects.pseudonyms(tenant.id, "openai", {FIRST}) == {FIRST: sealed}
    await objects.keep_pseudonyms(tenant.id, "openai", {})
    assert await objects.pseudonyms(tenant.id, "openai", set()) == {}
