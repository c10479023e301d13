"""What an installation keeps of itself in its data folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from detectors.errors import StorageError
from proxy.runtime.installation import instance_name
from proxy.settings import Settings


def test_an_instance_has_one_name_for_good(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    name = instance_name(settings)
    assert name
    assert instance_name(settings) == name
    assert [file.name for file in tmp_path.iterdir()] == ["instance"]


def test_an_instance_that_lost_its_name_does_not_journal_among_all_others(tmp_path: Path) -> None:
    (tmp_path / "instance").write_text("")
    with pytest.raises(StorageError, match="is empty"):
        instance_name(Settings(data=tmp_path))
