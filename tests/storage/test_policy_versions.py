"""Versions of policies in the database: numbered, approved by a second person, in force one at a time."""

from __future__ import annotations

import pytest

from detectors.errors import StorageError
from storage.accounts.admin_audit import AdminAudit, Sought
from storage.policy_versions import PolicyVersions
from storage.postgres import Database
from storage.revisions import read_revisions
from storage.types import Tenant
from tests.storage.conftest import RunStatement

TEXT = "extends: preset/standard\n"


@pytest.fixture
def store(database: Database) -> PolicyVersions:
    return PolicyVersions(database)


async def save(store: PolicyVersions, name: str, text: str = TEXT) -> int:
    return await store.save(name, text, "sha256:0123456789ab", "cli:anna", "because")


async def in_force(store: PolicyVersions, name: str) -> list[int]:
    return [one.version for one in await store.in_force() if one.name == name]


async def test_a_saved_version_is_not_in_force_until_it_is_activated(store: PolicyVersions) -> None:
    assert [await save(store, "one"), await save(store, "one", f"{TEXT}mode: monitor\n")] == [1, 2]
    assert await in_force(store, "one") == []
    await store.activate("one", 2, "cli:anna", "now", four_eyes=False)
    assert [(v.version, v.in_force, v.author) for v in await store.history("one")] == [
        (1, False, "cli:anna"),
        (2, True, "cli:anna"),
    ]


async def test_every_activation_moves_the_counter_that_instances_poll(
    store: PolicyVersions, database: Database
) -> None:
    await save(store, "two")
    before = (await read_revisions(database)).policies
    await store.activate("two", 1, "cli:anna", "now", four_eyes=False)
    assert (await read_revisions(database)).policies == before + 1


async def test_the_version_before_is_the_last_other_one_that_was_in_force(store: PolicyVersions) -> None:
    for _ in range(3):
        await save(store, "three")
    assert await store.before("three") is None
    for version in (1, 3, 3):
        await store.activate("three", version, "cli:anna", "now", four_eyes=False)
    assert await store.before("three") == 1


async def test_who_goes_back_twice_goes_back_two_versions(store: PolicyVersions) -> None:
    for _ in range(4):
        await save(store, "back")
    for version in (2, 3, 4):
        await store.activate("back", version, "cli:anna", "now", four_eyes=False)
    gone = []
    while (before := await store.before("back")) is not None:
        await store.activate("back", before, "cli:anna", "rollback", four_eyes=False)
        gone.append(before)
    assert gone == [3, 2]
    await store.activate("back", 4, "cli:anna", "better now", four_eyes=False)
    assert await store.before("back") == 2
    await store.activate("back", None, "cli:anna", "withdrawn", four_eyes=False)
    assert await store.before("back") == 4


@pytest.mark.parametrize(
    ("activated", "before"), [((1, 2, 3, 1), 3), ((1, 2, 1), None), ((1, 2, 3, 2), 1), ((1, 1), None)]
)
async def test_an_older_version_that_is_put_in_force_has_one_before_it(
    store: PolicyVersions, activated: tuple[int, ...], before: int | None
) -> None:
    name = f"older-{'-'.join(map(str, activated))}"
    for _ in range(3):
        await save(store, name)
    for version in activated:
        await store.activate(name, version, "cli:anna", "now", four_eyes=False)
    assert await store.before(name) == before


async def test_the_way_back_leads_to_what_was_in_force_and_to_no_draft(store: PolicyVersions) -> None:
    for _ in range(3):
        await save(store, "way")
    with pytest.raises(StorageError, match="no earlier version of 'way'"):
        await store.way_back("way")
    for version in (1, 2):
        await store.activate("way", version, "cli:anna", "now", four_eyes=False)
    assert [await store.way_back("way"), await store.way_back("way", 1)] == [1, 1]
    with pytest.raises(StorageError, match="version 3 of 'way' was never in force"):
        await store.way_back("way", 3)


async def test_four_eyes_are_two_people(store: PolicyVersions) -> None:
    await save(store, "four")
    with pytest.raises(StorageError, match="waits for the approval"):
        await store.activate("four", 1, "cli:anna", "now", four_eyes=True)
    with pytest.raises(StorageError, match="somebody else has to approve"):
        await store.approve("four", 1, "cli:anna")
    await store.approve("four", 1, "cli:otto")
    await store.activate("four", 1, "cli:anna", "now", four_eyes=True)
    assert await in_force(store, "four") == [1]


async def test_what_was_withdrawn_is_held_no_more_and_stays_readable(store: PolicyVersions) -> None:
    await save(store, "five/bot")
    await store.activate("five/bot", 1, "cli:anna", "now", four_eyes=False)
    await store.activate("five/bot", None, "cli:anna", "back to files", four_eyes=False)
    assert await in_force(store, "five/bot") == []
    assert [version.content for version in await store.history("five/bot")] == [TEXT]


async def test_a_version_that_is_not_there_cannot_be_put_in_force(store: PolicyVersions) -> None:
    with pytest.raises(StorageError, match="there is no version 7"):
        await store.activate("six", 7, "cli:anna", "now", four_eyes=False)


@pytest.mark.parametrize("name", ["../etc", "Acme", "a", "acme/../x", "acme/bot/x"])
async def test_a_name_that_is_no_policys_is_refused(store: PolicyVersions, name: str) -> None:
    with pytest.raises(StorageError):
        await save(store, name)


async def test_history_cannot_be_rewritten_by_those_who_serve(database: Database, as_superuser: RunStatement) -> None:
    rights = "SELECT has_table_privilege('ps_app', 'private.' || t, p) FROM unnest($1::text[]) t, unnest($2::text[]) p"
    tables, changes = ["policy_versions", "policy_activations"], ["INSERT", "UPDATE", "DELETE", "TRUNCATE"]
    assert [row[0] for row in await as_superuser(rights, tables, changes)] == [False] * 8


@pytest.mark.parametrize("app", ["", "/bot"])
async def test_what_is_done_to_a_policy_is_in_its_tenants_audit(
    store: PolicyVersions, database: Database, tenant: Tenant, neighbour: Tenant, app: str
) -> None:
    name = f"{tenant.slug}{app}"
    await save(store, name)
    await store.approve(name, 1, "cli:otto")
    await store.activate(name, 1, "cli:anna", "now", four_eyes=True)
    found = await AdminAudit(database).list(Sought(tenant.id))
    assert [(event.action, event.target) for event in found] == [
        ("policy.activate", name),
        ("policy.approve", name),
        ("policy.save", name),
    ]
    assert await AdminAudit(database).list(Sought(neighbour.id)) == ()


async def test_a_policy_of_no_tenant_is_in_the_audit_without_one(store: PolicyVersions, database: Database) -> None:
    await save(store, "nobodys")
    found = await AdminAudit(database).list(Sought(action="policy.save"))
    assert [event.tenant_id for event in found if event.target == "nobodys"] == [None]
