"""The policies in force: files are the truth, and a mistake in one never takes a good policy away."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from detectors.chain import Chain
from detectors.errors import PolicyError
from policies.engine import Actions
from policies.folders import PolicyFolders
from policies.loader import load_preset
from policies.store import PolicyStore
from policies.types import Mode

STANDARD = "extends: preset/standard\n"
STRICT = "extends: preset/strict\n"
BROKEN = "extends: preset/standard\nmod: enforce\n"
Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Save a policy file the way a careful editor does: whole, then in place."""

    def save(name: str, text: str) -> Path:
        file = tmp_path / f"{name}.yaml"
        file.parent.mkdir(exist_ok=True)
        unfinished = file.with_name(f".{file.name}.tmp")
        unfinished.write_text(text)
        return unfinished.replace(file)

    return save


@pytest.fixture
def store(tmp_path: Path, chain: Chain, actions: Actions, rule_ids: tuple[str, ...]) -> PolicyStore:
    return PolicyStore(PolicyFolders(tmp_path), chain, actions, rule_ids)


def id_for(store: PolicyStore, tenant: str, app: str = "default") -> str:
    return store.policy_for(tenant, app).id


# --- who gets which -----------------------------------------------------------------------------------------------


async def test_without_any_file_everybody_gets_the_standard_preset(store: PolicyStore) -> None:
    await store.load()
    assert store.policy_for("acme", "bot") == load_preset("preset/standard").policy


async def test_an_apps_policy_goes_before_its_tenants_and_that_before_the_default(
    store: PolicyStore, write: Write
) -> None:
    for name in ("default", "acme", "acme/bot"):
        write(name, STANDARD)
    await store.load()
    assert id_for(store, "acme", "bot") == "acme/bot"
    assert id_for(store, "acme", "other-app") == "acme"
    assert id_for(store, "globex", "bot") == "default"


@pytest.mark.parametrize(
    ("tenant", "app"),
    [
        ("globex", "../acme"),
        ("globex/../acme", "bot"),
        ("", "acme"),
        ("..", "acme"),
        ("globex", "/acme"),
        ("acme/", ""),
    ],
)
async def test_no_name_leads_to_another_tenants_policy(store: PolicyStore, write: Write, tenant: str, app: str) -> None:
    write("acme", STRICT)
    write("acme/bot", STRICT)
    await store.load()
    assert id_for(store, tenant, app) == "preset/standard"


# --- reloading ----------------------------------------------------------------------------------------------------


async def test_a_changed_file_is_in_force_after_the_next_look(store: PolicyStore, write: Write) -> None:
    write("acme", STANDARD)
    await store.load()
    before = store.policy_for("acme", "bot")
    write("acme", STRICT)
    report = await store.reload()
    assert (report.loaded, report.removed, dict(report.failures)) == (("acme",), (), {})
    assert store.policy_for("acme", "bot").revision != before.revision


async def test_a_look_at_unchanged_files_does_nothing(store: PolicyStore, write: Write) -> None:
    write("acme", STANDARD)
    write("globex", BROKEN)
    await store.reload()
    before = store.policies
    report = await store.reload()
    assert (report.loaded, report.removed, dict(report.failures)) == ((), (), {})
    assert store.policies["acme"] is before["acme"]


async def test_a_broken_file_leaves_its_last_good_revision(store: PolicyStore, write: Write) -> None:
    write("acme", STRICT)
    await store.load()
    good = store.policy_for("acme", "bot")
    file = write("acme", BROKEN)
    report = await store.reload()
    expected = f"{file}:2: unknown key 'mod' (did you mean 'mode'?)"
    assert dict(report.failures) == dict(store.failures) == {"acme": expected}
    assert store.policy_for("acme", "bot") is good
    write("acme", STANDARD)
    assert (await store.reload()).loaded == ("acme",)
    assert dict(store.failures) == {}


@pytest.mark.parametrize("text", ["", "extends: preset/strict\nrul", "\x00", "[" * 20], ids=repr)
async def test_a_file_caught_half_written_leaves_its_last_good_revision(
    store: PolicyStore, write: Write, text: str
) -> None:
    file = write("acme", STRICT)
    await store.load()
    good = store.policy_for("acme", "bot")
    file.write_text(text)
    await store.reload()
    assert store.policy_for("acme", "bot") is good
    assert set(store.failures) == {"acme"}


async def test_a_broken_file_does_not_disturb_the_others(store: PolicyStore, write: Write) -> None:
    write("acme", BROKEN)
    write("globex", STRICT)
    (write("initech", STRICT)).write_bytes(b"\xff")
    report = await store.reload()
    assert report.loaded == ("globex",)
    assert set(report.failures) == {"acme", "initech"}
    assert (id_for(store, "acme"), id_for(store, "globex")) == ("preset/standard", "globex")


async def test_a_policy_that_fails_its_own_tests_is_refused(store: PolicyStore, write: Write) -> None:
    write("acme", STRICT)
    await store.load()
    file = write("acme", STANDARD + "tests: [{name: too strict, user: Good morning, expect: block}]")
    await store.reload()
    assert store.failures == {"acme": f"{file}: test 'too strict' expected block, got allow"}
    assert store.policy_for("acme", "bot").disclose == "id"


async def test_a_file_moved_over_another_is_noticed_whatever_its_time_and_size(
    store: PolicyStore, write: Write
) -> None:
    file = write("acme", STANDARD + "mode: monitor")
    os.utime(file, (1, 1))
    await store.load()
    replacement = write("globex", STANDARD + "mode: enforce")
    os.utime(replacement, (1, 1))
    replacement.replace(file)
    await store.reload()
    assert store.policy_for("acme", "bot").mode == "enforce"


async def test_a_deleted_file_is_no_longer_in_force(store: PolicyStore, write: Write) -> None:
    files = [write(name, text) for name, text in (("default", STRICT), ("acme", STRICT), ("acme/bot", BROKEN))]
    await store.reload()
    assert id_for(store, "acme", "bot") == "acme"
    for file in files:
        file.unlink()
    report = await store.reload()
    assert sorted(report.removed) == ["acme", "acme/bot", "default"]
    assert dict(store.failures) == {}
    assert id_for(store, "acme", "bot") == "preset/standard"


async def test_a_folder_that_cannot_be_listed_is_not_an_empty_one(
    store: PolicyStore, write: Write, tmp_path: Path
) -> None:
    write("acme", STRICT)
    await store.load()
    away = shutil.move(tmp_path, f"{tmp_path}-away")
    assert "cannot be listed" in str((await store.reload()).failures)
    assert dict((await store.reload()).failures) == {}
    assert (id_for(store, "acme"), len(store.failures)) == ("acme", 1)
    shutil.move(away, tmp_path)
    await store.reload()
    assert (id_for(store, "acme"), dict(store.failures)) == ("acme", {})


async def test_hidden_files_are_nobodys_policy(store: PolicyStore, write: Write) -> None:
    for name in (".acme", "..2026_11_22/acme", ".git/acme"):
        write(name, BROKEN)
    (write("acme", STRICT)).with_name(".#acme.yaml").symlink_to("nowhere")
    await store.load()
    assert set(store.policies) == {"default", "acme"}


async def test_a_mounted_file_is_followed(store: PolicyStore, write: Write, tmp_path: Path) -> None:
    for version, text in (("..1", STANDARD), ("..2", STRICT)):
        write(f"{version}/acme", text)
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "acme.yaml").symlink_to("..data/acme.yaml")
    await store.load()
    assert store.policy_for("acme", "bot").disclose == "category"
    (tmp_path / "..data").unlink()
    (tmp_path / "..data").symlink_to("..2")
    await store.reload()
    assert store.policy_for("acme", "bot").disclose == "id"


@pytest.mark.parametrize("name", ["Acme", "acme.bak", "a", "1acme", "acme/-bot", "acme/Bot"])
async def test_a_file_that_could_never_be_in_force_is_a_mistake(store: PolicyStore, write: Write, name: str) -> None:
    write(name, STRICT)
    await store.reload()
    assert "no tenant or app can have this name" in store.failures[name]


async def test_the_first_load_insists_on_every_file(store: PolicyStore, write: Write) -> None:
    write("globex", STRICT)
    file = write("acme", BROKEN)
    with pytest.raises(PolicyError) as caught:
        await store.load()
    assert str(caught.value) == f"{file}:2: unknown key 'mod' (did you mean 'mode'?)"


async def test_a_reader_sees_the_old_set_or_the_new_one(store: PolicyStore, write: Write) -> None:
    tenants = ["acme", "globex", "initech"]
    for tenant in tenants:
        write(tenant, STANDARD)
    await store.load()
    for tenant in tenants:
        write(tenant, STRICT)
    looking = asyncio.ensure_future(store.reload())
    seen = set()
    while not looking.done():
        seen.add(tuple(store.policy_for(tenant, "").disclose for tenant in tenants))
        await asyncio.sleep(0)
    seen.add(tuple(store.policy_for(tenant, "").disclose for tenant in tenants))
    assert seen == {("category",) * 3, ("id",) * 3}


async def test_two_looks_at_once_agree(store: PolicyStore, write: Write) -> None:
    write("acme", STRICT)
    reports = await asyncio.gather(store.reload(), store.reload())
    assert sorted(report.loaded for report in reports) == [(), ("acme",)]


async def test_what_was_handed_out_does_not_change(store: PolicyStore, write: Write) -> None:
    write("acme", STANDARD)
    await store.load()
    policies, failures = store.policies, store.failures
    write("acme", BROKEN)
    write("globex", STRICT)
    await store.reload()
    assert (set(policies), dict(failures)) == ({"default", "acme"}, {})


# --- files that policies are made of ------------------------------------------------------------------------------


async def test_a_shared_file_that_changes_reloads_those_that_extend_it_alone(store: PolicyStore, write: Write) -> None:
    write("_common/base", STANDARD)
    write("acme", "extends: _common/base.yaml\n")
    write("globex", STANDARD)
    await store.load()
    before = store.policies
    write("_common/base", STRICT)
    report = await store.reload()
    assert report.loaded == ("acme",)
    assert store.policies["acme"].revision != before["acme"].revision
    assert store.policies["globex"] is before["globex"]


async def test_a_policy_whose_shared_file_was_broken_loads_once_that_is_mended(
    store: PolicyStore, write: Write
) -> None:
    write("_common/base", BROKEN)
    write("acme", "extends: _common/base.yaml\n")
    await store.reload()
    assert "_common/base.yaml:2: unknown key 'mod'" in store.failures["acme"]
    write("_common/base", STANDARD)
    assert (await store.reload()).loaded == ("acme",)
    assert dict(store.failures) == {}


async def test_the_platforms_file_is_no_policy_and_reaches_all(store: PolicyStore, write: Write) -> None:
    write("acme", STANDARD)
    write("globex", "extends: preset/standard\nlimits: {requests: 9000/min}\n")
    await store.load()
    write("platform", "ceilings: {limits: {requests: 600/min}}\n")
    report = await store.reload()
    assert report.loaded == ("acme",)
    assert "limits.requests 9000/min exceeds platform ceiling 600/min" in report.failures["globex"]
    assert store.policy_for("platform", "default").id == "preset/standard"


async def test_the_last_good_copy_has_its_own_copies_of_what_it_extends(
    tmp_path: Path, chain: Chain, actions: Actions, rule_ids: tuple[str, ...], write: Write
) -> None:
    kept = tmp_path / ".kept"
    write("_common/base", "extends: preset/standard\nmode: monitor\n")
    write("acme", "extends: _common/base.yaml\n")
    await PolicyStore(PolicyFolders(tmp_path), chain, actions, rule_ids, kept).load()
    write("_common/base", BROKEN)
    successor = PolicyStore(PolicyFolders(tmp_path), chain, actions, rule_ids, kept)
    await successor.recover()
    assert successor.policies["acme"].mode is Mode.MONITOR


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("rules: &a [*a]\n", "aliases are not allowed"),
        ("a: &a [x]\nb: *a\n", "aliases are not allowed"),
        ("mode: enforce\nmode: monitor\n", "key 'mode' is given twice"),
        ("#" * (1 << 20), "larger than 256 KiB"),
        ("[" * 3000, "nested deeper than 32"),
        ("x: !!python/object/apply:os.system [id]\n", "tags are not allowed"),
        ("extends: acme.yaml\n", "unknown policy 'acme.yaml'"),
        (
            "rules:\n- {id: x, when: {}, if: 'tags.all(a, tags.all(b, tags.all(c, true)))', action: flag}\n",
            "more than 2 of",
        ),
    ],
)
async def test_what_was_made_to_hurt_is_refused_and_the_last_good_revision_stays(
    store: PolicyStore, write: Write, text: str, problem: str
) -> None:
    write("acme", STRICT)
    await store.load()
    good = store.policies["acme"]
    write("acme", text)
    report = await store.reload()
    assert problem in report.failures["acme"]
    assert report.failures["acme"].partition(": ")[0].startswith(str(store._folders.own / "acme.yaml"))
    assert store.policies["acme"] is good


async def test_a_process_that_takes_over_serves_the_last_good_default_too(
    tmp_path: Path, chain: Chain, actions: Actions
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "default.yaml").write_text(STRICT)
    first, second = (PolicyStore(PolicyFolders(own), chain, actions, (), last_good=tmp_path / "good") for _ in range(2))
    await first.load()
    (own / "default.yaml").write_text(BROKEN)
    await second.recover()
    assert id_for(second, "acme") == id_for(first, "acme") == "default"
    assert second.policy_for("acme", "bot").revision == first.policy_for("acme", "bot").revision
