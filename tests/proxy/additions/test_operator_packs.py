"""The operator's signatures: for everybody, for one tenant, taken in while running, and the last good ones kept."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Self

import pytest
import yaml

from detectors.build import build_views
from detectors.errors import SignatureError
from detectors.lexicon import Lexicon
from detectors.views import ViewBuilder
from proxy.additions.operator_packs import OperatorPacks
from proxy.app import Detection, load_detection, policy_store
from proxy.settings import Settings

POLICY = Lexicon()


@pytest.fixture(scope="module")
def views() -> ViewBuilder:
    return build_views()


@pytest.fixture(scope="module")
def detection() -> Detection:
    return load_detection()


def write(folder: Path, number: int, pattern: str = "blue folder") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    signature = {
        "id": f"OP-INJ-{number:03}",
        "title": "Talk of the blue folder",
        "description": "The text asks for the blue folder.",
        "status": "stable",
        "category": "prompt_injection",
        "kind": "BLUE_FOLDER",
        "severity": "high",
        "confidence": 0.9,
        "level": 1,
        "pattern": pattern,
        "examples": {"match": ["the blue folder", "a blue folder"], "no_match": ["blue", "folder"]},
    }
    (folder / f"{number}.yaml").write_text(yaml.safe_dump(signature))


def ids(packs: OperatorPacks, tenant: str) -> set[str]:
    return {name for pack in packs.lexicon(POLICY, tenant).packs for name in getattr(pack, "ids", ())}


async def test_a_tenants_signatures_are_read_for_nobody_else(tmp_path: Path, views: ViewBuilder) -> None:
    write(tmp_path / "s", 1)
    write(tmp_path / "s" / "acme", 2)
    packs = OperatorPacks(tmp_path / "s", views)

    await packs.reload()

    assert (ids(packs, "acme"), ids(packs, "globex")) == ({"OP-INJ-001", "OP-INJ-002"}, {"OP-INJ-001"})
    assert packs.lexicon(POLICY, "acme").revision != packs.lexicon(POLICY, "globex").revision


BLUE = """extends: preset/standard
rules: [{id: blue, when: {rule: [OP-INJ-001]}, action: flag}]
tests:
  - {name: blue folders are told, user: Where is the blue folder?, expect: block, rule: attacks}
"""


async def test_policies_name_and_test_the_signatures_of_their_tenant(tmp_path: Path, detection: Detection) -> None:
    settings = Settings(data=tmp_path, policies=tmp_path / "policies")
    settings.policies_folder.mkdir()
    for name in ("acme", "globex"):
        (settings.policies_folder / f"{name}.yaml").write_text(BLUE)
    packs = OperatorPacks(tmp_path / "signatures", detection.views)
    store = policy_store(settings, detection, packs)

    report = await store.reload()
    assert set(report.failures) == {"acme", "globex"}  # nobody has such a signature yet: their tests say so
    write(tmp_path / "signatures" / "acme", 1)
    await packs.reload()

    assert (await store.reload()).loaded == ("acme",)  # which the policy's file did not have to be touched for
    assert set(store.failures) == {"globex"}
    assert (packs.ids("acme"), packs.ids("globex")) == (frozenset({"OP-INJ-001"}), frozenset())
    assert not (await store.reload()).failures


async def test_a_bad_file_leaves_the_last_good_pack_and_says_why(tmp_path: Path, views: ViewBuilder) -> None:
    write(tmp_path / "s" / "acme", 1)
    packs = OperatorPacks(tmp_path / "s", views, last_good=tmp_path / "good")
    await packs.reload()
    write(tmp_path / "s" / "acme", 1, pattern="(blue")

    report = await packs.reload()

    assert "acme/1.yaml:" in report.failures["acme"]
    assert ids(packs, "acme") == {"OP-INJ-001"}
    replaced = OperatorPacks(tmp_path / "s", views, last_good=tmp_path / "good")
    replaced.recover()
    assert ids(replaced, "acme") == {"OP-INJ-001"}
    with pytest.raises(SignatureError, match=r"1\.yaml:"):
        OperatorPacks(tmp_path / "s", views).recover()


async def test_changes_are_taken_in_and_removals_too(tmp_path: Path, views: ViewBuilder) -> None:
    packs = OperatorPacks(tmp_path / "s", views)
    packs.load()
    assert packs.lexicon(POLICY, "acme") is POLICY
    write(tmp_path / "s", 1)
    assert (await packs.reload()).loaded == ("",)
    assert (await packs.reload()).loaded == ()
    (tmp_path / "s" / "1.yaml").unlink()

    assert (await packs.reload()).removed == ("",)
    assert ids(packs, "acme") == set()


async def test_what_the_installation_gives_up_a_tenant_may_take(tmp_path: Path, views: ViewBuilder) -> None:
    write(tmp_path / "s", 1)
    write(tmp_path / "s" / "acme", 1)
    packs = OperatorPacks(tmp_path / "s", views)
    assert set((await packs.reload()).failures) == {"acme"}
    (tmp_path / "s" / "1.yaml").unlink()

    assert (await packs.reload()).loaded == ("acme",)
    assert (ids(packs, "acme"), packs.failures) == ({"OP-INJ-001"}, {})


async def test_a_folder_that_cannot_be_listed_changes_nothing_and_is_told_once(
    tmp_path: Path, views: ViewBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "s" / "acme", 1)
    packs = OperatorPacks(tmp_path / "s", views)
    await packs.reload()
    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", _no_more_files)
        told = [(await packs.reload()).failures for _ in range(2)]

    assert told == [{"": f"{tmp_path / 's'}: cannot be listed: Too many open files"}, {}]
    assert (await packs.reload()).removed == ()
    assert ids(packs, "acme") == {"OP-INJ-001"}


def _no_more_files(_: Path) -> None:
    raise OSError(errno.EMFILE, "Too many open files")


class Listed(list[os.DirEntry[str]]):
    """What a folder held a moment ago."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


async def test_a_file_that_goes_while_folders_are_looked_at_takes_nothing_along(
    tmp_path: Path, views: ViewBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "s" / "acme", 1)
    packs = OperatorPacks(tmp_path / "s", views)
    await packs.reload()
    unfinished, scandir = tmp_path / "s" / "unfinished.yaml", os.scandir
    unfinished.write_text("of an editor that saves")
    looks: list[Path] = []

    def lose(folder: Path) -> Listed:
        listed = Listed(scandir(folder))
        looks.append(folder)
        if len(looks) == 2:  # the first was for the folders' names
            unfinished.unlink()
        return listed

    monkeypatch.setattr(os, "scandir", lose)
    assert (await packs.reload()).removed == ()
    assert ids(packs, "acme") == {"OP-INJ-001"}
