"""Weights are those that were trained, or the start fails with one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from detectors.errors import ConfigurationError
from detectors.models.classifier_model import FILE, load_classifier
from detectors.models.weights_file import MANIFEST, SHIPPED, read_arrays, write_manifest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    np.savez(tmp_path / "a.npz", numbers=np.arange(3))
    write_manifest(tmp_path, {"a.npz": {"seed": 1}})
    return tmp_path


def test_arrays_come_back_as_they_were_written(folder: Path) -> None:
    assert read_arrays("a.npz", folder)["numbers"].tolist() == [0, 1, 2]


def test_a_changed_file_is_refused_in_one_line(folder: Path) -> None:
    (folder / "a.npz").write_bytes(b"x" + (folder / "a.npz").read_bytes()[1:])
    with pytest.raises(ConfigurationError, match=r"a\.npz: is not the file that was trained") as caught:
        read_arrays("a.npz", folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("lost", ["a.npz", MANIFEST])
def test_a_missing_file_is_named(folder: Path, lost: str) -> None:
    (folder / lost).unlink()
    with pytest.raises(ConfigurationError, match=f"{lost}: cannot read the model's weights"):
        read_arrays("a.npz", folder)


def test_a_file_that_the_manifest_does_not_know_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"does not name b\.npz"):
        read_arrays("b.npz", folder)


def test_what_ships_is_whole_and_small() -> None:
    assert load_classifier().revision
    assert (SHIPPED / FILE).exists()
    assert sum(file.stat().st_size for file in SHIPPED.iterdir()) <= 30_000_000
