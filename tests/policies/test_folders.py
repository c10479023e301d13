"""A policy lies with the operator's files or with the versions that the database holds, never in both."""

from __future__ import annotations

from pathlib import Path

import pytest

from detectors.chain import Chain
from detectors.documents import parse_document
from detectors.errors import EdgeError, PolicyError
from policies.engine import Actions
from policies.folders import PolicyFolders, refuse_word_files
from policies.store import PolicyStore

STANDARD, STRICT = "extends: preset/standard\n", "extends: preset/strict\n"


@pytest.fixture
def folders(tmp_path: Path) -> PolicyFolders:
    for name in ("own", "held"):
        (tmp_path / name / "acme").mkdir(parents=True)
    return PolicyFolders(tmp_path / "own", tmp_path / "held")


def held(folders: PolicyFolders, name: str, text: str) -> None:
    assert folders.held is not None
    (folders.held / f"{name}.yaml").write_text(text)


async def test_both_folders_are_served_alike(folders: PolicyFolders, chain: Chain, actions: Actions) -> None:
    (folders.own / "globex.yaml").write_text(STANDARD)
    held(folders, "acme", STRICT)
    held(folders, "acme/bot", STANDARD)
    store = PolicyStore(folders, chain, actions, ())
    await store.load()
    assert set(store.policies) == {"default", "globex", "acme", "acme/bot"}
    assert store.policy_for("acme", "other").disclose == "id"


async def test_a_held_policy_builds_on_the_operators_files(
    folders: PolicyFolders, chain: Chain, actions: Actions
) -> None:
    (folders.own / "_common").mkdir()
    (folders.own / "_common" / "base.yaml").write_text(STRICT)
    held(folders, "acme", "extends: _common/base.yaml\n")
    store = PolicyStore(folders, chain, actions, ())
    await store.load()
    assert store.policy_for("acme", "bot").disclose == "id"


@pytest.mark.parametrize("child", ["own", "held"])
async def test_an_apps_policy_builds_on_its_tenants_that_is_held(
    folders: PolicyFolders, chain: Chain, actions: Actions, child: str
) -> None:
    assert folders.held is not None
    ({"own": folders.own, "held": folders.held}[child] / "acme" / "shop.yaml").write_text("extends: acme.yaml\n")
    held(folders, "acme", STRICT)
    store = PolicyStore(folders, chain, actions, ())
    await store.load()
    assert store.policy_for("acme", "shop").disclose == "id"
    held(folders, "acme", STANDARD + "# changed\n")
    assert set((await store.reload()).loaded) == {"acme", "acme/shop"}
    assert store.policy_for("acme", "shop").disclose == "category"


async def test_a_tenants_policy_moves_between_the_folders_under_its_apps(
    folders: PolicyFolders, chain: Chain, actions: Actions
) -> None:
    (folders.own / "acme" / "shop.yaml").write_text("extends: acme.yaml\n")
    (folders.own / "acme.yaml").write_text(STANDARD)
    store = PolicyStore(folders, chain, actions, ())
    await store.load()
    held(folders, "acme", STRICT)
    report = await store.reload()
    assert "it is one or the other" in report.failures["acme/shop"]
    assert store.policy_for("acme", "shop").disclose == "category"
    await PolicyStore(folders, chain, actions, ()).load()
    (folders.own / "acme.yaml").unlink()
    assert not (await store.reload()).failures
    assert store.policy_for("acme", "shop").disclose == "id"


@pytest.mark.parametrize("parent", ["globex.yaml", "../held/globex.yaml", "globex/bot.yaml", "_common/base.yaml"])
async def test_nobody_builds_on_what_the_database_holds_for_another(
    folders: PolicyFolders, chain: Chain, actions: Actions, parent: str
) -> None:
    assert folders.held is not None
    for folder in ("globex", "_common"):
        (folders.held / folder).mkdir()
    for name in ("globex", "globex/bot", "_common/base"):
        held(folders, name, STRICT)
    held(folders, "acme/bot", f"extends: {parent}\n")
    store = PolicyStore(folders, chain, actions, ())
    await store.load()
    assert "acme/bot" in store.failures
    with pytest.raises(EdgeError):
        store.policy_for("acme", "bot")


@pytest.mark.parametrize("change", ["mode: enforced\n", None])
async def test_what_a_tenant_does_to_its_own_policy_stops_no_start(
    folders: PolicyFolders, chain: Chain, actions: Actions, tmp_path: Path, change: str | None
) -> None:
    (folders.own / "acme" / "shop.yaml").write_text("extends: acme.yaml\n")
    held(folders, "acme", STRICT)
    first = PolicyStore(folders, chain, actions, (), tmp_path / "good")
    await first.load()
    if change is None:
        assert folders.held is not None
        (folders.held / "acme.yaml").unlink()
    else:
        held(folders, "acme", change)
    await first.reload()
    assert first.policy_for("acme", "shop").disclose == "id"
    for copies, code in ((tmp_path / "good", None), (None, "policy_unavailable")):
        store = PolicyStore(folders, chain, actions, (), copies)
        await store.load()
        await store.recover()
        assert "acme/shop" in store.failures
        if code is None:
            assert store.policy_for("acme", "shop").disclose == "id"
        else:
            with pytest.raises(EdgeError, match=code):
                store.policy_for("acme", "shop")


async def test_an_operators_own_mistake_stops_the_start(folders: PolicyFolders, chain: Chain, actions: Actions) -> None:
    (folders.own / "acme" / "shop.yaml").write_text("extends: preset/standard\nmod: enforce\n")
    with pytest.raises(PolicyError, match="unknown key 'mod'"):
        await PolicyStore(folders, chain, actions, ()).load()


async def test_what_lies_in_both_is_refused_and_what_was_in_force_stays(
    folders: PolicyFolders, chain: Chain, actions: Actions
) -> None:
    (folders.own / "acme.yaml").write_text(STANDARD)
    store = PolicyStore(folders, chain, actions, ())
    await store.load()
    good = store.policies["acme"]
    held(folders, "acme", STRICT)
    assert "the database holds 'acme' too" in (await store.reload()).failures["acme"]
    assert store.policies["acme"] is good
    with pytest.raises(PolicyError, match="withdraw acme"):
        folders.file("acme")


def test_files_of_tests_are_no_policies(folders: PolicyFolders) -> None:
    (folders.own / "acme.tests.yaml").write_text("tests: []")
    assert folders.stamps() == {}


def test_a_folder_of_held_policies_need_not_be_there(tmp_path: Path) -> None:
    assert PolicyFolders(tmp_path, tmp_path / "nothing").stamps() == {}


async def test_a_held_policy_that_does_not_load_costs_nobody_but_its_tenant(
    folders: PolicyFolders, chain: Chain, actions: Actions
) -> None:
    held(folders, "acme", "extends: preset/standard\nmod: enforce\n")
    held(folders, "globex", STRICT)
    store, recovering = (PolicyStore(folders, chain, actions, ()) for _ in range(2))
    await store.load()
    await recovering.recover()
    for one in (store, recovering):
        assert one.policy_for("globex", "bot").disclose == "id"
        assert one.policy_for("initech", "bot").id == "preset/standard"
        with pytest.raises(EdgeError) as caught:
            one.policy_for("acme", "bot")  # and never another policy in its place
        assert (caught.value.status, caught.value.code) == (503, "policy_unavailable")
    held(folders, "acme", STRICT)
    await store.reload()
    assert store.policy_for("acme", "bot").disclose == "id"


async def test_time_alone_takes_no_held_policy_away(folders: PolicyFolders, chain: Chain, actions: Actions) -> None:
    failing = STRICT + "tests: [{name: x, user: hello, expect: block}]\n"
    held(folders, "acme", failing)  # whose tests passed when it was saved: an exclusion of it has ended since
    (folders.own / "globex.yaml").write_text(failing)
    store = PolicyStore(folders, chain, actions, ())
    with pytest.raises(PolicyError, match="globex"):
        await store.load()
    assert store.policy_for("acme", "bot").disclose == "id"


def test_words_in_files_are_the_operators(tmp_path: Path) -> None:
    text = (
        STANDARD + "keywords:\n  - {name: a, words: [b], category: pii}\n  - {name: c, file: ../x.txt, category: pii}\n"
    )
    with pytest.raises(PolicyError, match="write `words:`") as caught:
        refuse_word_files(parse_document(text, tmp_path / "acme.yaml", PolicyError))
    assert str(caught.value).startswith(f"{tmp_path}/acme.yaml:4:")
    refuse_word_files(parse_document(STANDARD + "keywords: 7\n", tmp_path / "acme.yaml", PolicyError))
