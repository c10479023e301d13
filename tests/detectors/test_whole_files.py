"""A file is replaced whole, and what could not be written leaves no pieces."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from detectors.pattern_store import keep_stored, read_stored
from detectors.whole_files import write_whole
from policies.store import keep_copy
from proxy.cli.policy_fmt import replace_policy
from tests.full_disk import a_full_disk


def test_parts_take_the_place_of_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("old")

    write_whole(file, b"one ", b"two", mode=0o640, synced=True)

    assert file.read_bytes() == b"one two"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [file]


def test_a_full_disk_keeps_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    file, good = tmp_path / "acme.yaml", tmp_path / "good.yaml"
    file.write_text("mode: off\n")
    good.write_text("mode: monitor # and more than fits\n")

    with a_full_disk():
        for _ in range(2):
            with pytest.raises(OSError, match="File too large"):
                replace_policy(file, "mode: monitor # and more than fits\n")
            keep_copy(good, tmp_path / "copy.yaml")
            keep_stored(tmp_path / "patterns", b"x" * 100)

    assert file.read_text() == "mode: off\n"
    assert read_stored(tmp_path / "patterns") is None
    assert sorted(tmp_path.iterdir()) == [file, good]
