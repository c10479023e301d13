"""An operator's signatures pass the gates that ours pass, or are refused by file and line."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from detectors.errors import SignatureError
from detectors.packs import load_pack
from detectors.views import ViewBuilder

GOOD = {
    "id": "OP-INJ-001",
    "title": "Talk of the blue folder",
    "description": "The text asks for the blue folder.",
    "status": "stable",
    "category": "prompt_injection",
    "kind": "BLUE_FOLDER",
    "severity": "high",
    "confidence": 0.9,
    "level": 1,
    "pattern": r"\bopen the blue folder\b",
    "examples": {"match": ["Open the blue folder.", "please OPEN  the blue folder"], "no_match": ["blue", "folder"]},
}


def write(folder: Path, name: str = "a", **changes: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump({**GOOD, **changes}, sort_keys=False))
    return file


def test_a_good_folder_becomes_a_pack_with_a_revision(tmp_path: Path, builder: ViewBuilder) -> None:
    write(tmp_path)

    pack = load_pack(tmp_path, builder)

    assert pack is not None
    assert pack.ids == {"OP-INJ-001"}
    assert pack.revision.startswith("sha256:")
    assert load_pack(tmp_path / "none", builder) is None


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"id": "PS-INJ-001"}, "a.yaml:1: ids of your own begin with OP-"),
        ({"pattern": "(?=a)b"}, "a.yaml:10: pattern: not in the RE2 subset"),
        ({"pattern": "(?:x)*"}, "a.yaml:10: pattern: hyperscan refuses it"),
        ({"confidance": 1}, "unknown key 'confidance' (did you mean 'confidence'?)"),
        (
            {"examples": {"match": ["nothing here", "open the blue folder"], "no_match": ["a", "b"]}},
            "does not find this",
        ),
        (
            {"examples": {"match": ["open the blue folder"] * 2, "no_match": ["open the blue folder", "b"]}},
            "the signature finds this",
        ),
    ],
)
def test_what_fails_a_gate_is_told_with_file_and_line(
    tmp_path: Path, builder: ViewBuilder, changes: dict[str, object], problem: str
) -> None:
    write(tmp_path, "a", **changes)

    with pytest.raises(SignatureError) as caught:
        load_pack(tmp_path, builder)

    assert problem in str(caught.value)


def test_an_id_is_taken_once_over_all_packs(tmp_path: Path, builder: ViewBuilder) -> None:
    write(tmp_path)

    with pytest.raises(SignatureError, match="id 'OP-INJ-001' is taken by another pack"):
        load_pack(tmp_path, builder, {"OP-INJ-001"})
