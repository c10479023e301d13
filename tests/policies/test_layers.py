"""What a policy extends: presets, packs, files of the operator and of its own tenant, and nobody else's."""

from __future__ import annotations

from pathlib import Path

import pytest

from detectors.errors import PolicyError
from policies.layers import Library
from policies.loader import LoadedPolicy, load_policy
from policies.types import ActionName

BASE = "extends: preset/standard\nrules:\n- {id: europe, when: {kind: IBAN}, action: mask}\n"


def load(folder: Path, name: str, files: dict[str, str], library: Library | None = None) -> LoadedPolicy:
    for file, text in files.items():
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_text(text)
    return load_policy(folder / f"{name}.yaml", name, (), library or Library(folder))


def refusal(folder: Path, name: str, files: dict[str, str]) -> str:
    with pytest.raises(PolicyError) as refused:
        load(folder, name, files)
    return str(refused.value).removeprefix(f"{folder}/")


def test_a_policy_builds_on_a_file_of_the_operator(tmp_path: Path) -> None:
    loaded = load(tmp_path, "acme", {"_common/europe.yaml": BASE, "acme.yaml": "extends: _common/europe.yaml\n"})
    assert {"europe", "attacks"} <= {rule.id for rule in loaded.policy.rules}
    assert loaded.sources == (tmp_path / "_common/europe.yaml", tmp_path / "acme.yaml")


def test_an_app_builds_on_its_tenants_policy(tmp_path: Path) -> None:
    files = {"acme.yaml": BASE, "acme/bot.yaml": "extends: acme.yaml\ndisable: [europe]\nmode: monitor\n"}
    policy = load(tmp_path, "acme/bot", files).policy
    assert "europe" not in {rule.id for rule in policy.rules}


@pytest.mark.parametrize(
    "parent", ["globex.yaml", "../secret.yaml", "/etc/x.yaml", "_a/../globex.yaml", "globex/a.yaml"]
)
def test_nobody_builds_on_what_is_another_tenants_or_lies_outside(tmp_path: Path, parent: str) -> None:
    files = {"globex.yaml": BASE, "globex/a.yaml": BASE, "acme/bot.yaml": f"extends: {parent}\n"}
    assert refusal(tmp_path, "acme/bot", files).startswith(f"acme/bot.yaml:1: unknown policy '{parent}'")


def test_no_link_leads_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "outside.yaml").write_text(BASE)
    folder = tmp_path / "policies"
    (folder / "_common").mkdir(parents=True)
    (folder / "_common/x.yaml").symlink_to(tmp_path / "outside.yaml")
    assert "lies outside" in refusal(folder, "acme", {"acme.yaml": "extends: _common/x.yaml\n"})


def test_a_circle_is_named(tmp_path: Path) -> None:
    files = {"_a/x.yaml": "extends: _a/y.yaml", "_a/y.yaml": "extends: [_a/x.yaml]", "acme.yaml": "extends: _a/x.yaml"}
    assert refusal(tmp_path, "acme", files) == "_a/y.yaml:1: extends itself: _a/x.yaml -> _a/y.yaml -> _a/x.yaml"


def test_two_files_that_mean_different_things_by_one_rule_conflict(tmp_path: Path) -> None:
    other = BASE.replace("mask", "block")
    files = {"_a/x.yaml": BASE, "_a/y.yaml": other, "acme.yaml": "extends: [_a/x.yaml, _a/y.yaml]\n"}
    assert "rule 'europe' means one thing in _a/x.yaml, another in _a/y.yaml" in refusal(tmp_path, "acme", files)
    files["acme.yaml"] += "rules: [{id: europe, when: {kind: IBAN}, action: flag}]\n"
    settled = {rule.id: rule.action for rule in load(tmp_path, "acme", files).policy.rules}
    assert settled["europe"] is ActionName.FLAG


@pytest.mark.parametrize(
    "parents", ["_a/x.yaml, preset/standard", "preset/standard, _a/x.yaml", "_a/x.yaml, pack/gdpr"]
)
def test_a_file_goes_before_presets_and_packs_wherever_it_is_named(tmp_path: Path, parents: str) -> None:
    stricter = "failure_mode: closed\nrules:\n- {id: credentials, when: {category: credential}, action: block}\n"
    files = {"_a/x.yaml": stricter, "acme.yaml": f"extends: [{parents}]\n"}
    settled = {rule.id: rule.action for rule in load(tmp_path, "acme", files).policy.rules}
    assert settled["credentials"] is ActionName.BLOCK


def test_what_is_extended_is_read_once_and_again_when_it_changes(tmp_path: Path) -> None:
    library = Library(tmp_path)
    files = {"_a/x.yaml": BASE, "acme.yaml": "extends: _a/x.yaml\n", "globex.yaml": "extends: _a/x.yaml\n"}
    first = load(tmp_path, "acme", files, library).policy
    second = load(tmp_path, "globex", {}, library).policy
    assert all(one is two for one, two in zip(first.rules, second.rules, strict=True))
    changed = load(tmp_path, "acme", {"_a/x.yaml": BASE.replace("IBAN", "PHONE")}, library).policy
    assert (changed.rules[-1].match.kind, changed.revision != first.revision) == (frozenset({"PHONE"}), True)


def test_a_condition_that_cannot_be_used_is_named_by_line(tmp_path: Path) -> None:
    text = "rules:\n- id: x\n  when: {}\n  if: colour == 3\n  action: flag\n"
    assert (
        refusal(tmp_path, "acme", {"acme.yaml": text})
        == "acme.yaml:4: rule 'x': unknown word 'colour' (did you mean 'hour'?)"
    )
