"""What an installation keeps of itself in its data folder."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from detectors.errors import StorageError
from proxy.runtime import installation
from proxy.runtime.installation import instance_name, note_running, prepare_policies, reachable_engines
from proxy.settings import Settings
from storage.embedded import EmbeddedEngines, EnginePasswords, EngineUrls
from storage.keys.house_keys import open_house_keys


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


def test_a_copy_of_a_folder_is_not_where_the_server_of_the_folder_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its commands would change the original's database, and verify that one in the place of a backup's."""
    server, own = EngineUrls("postgresql://server", "", ""), EngineUrls("postgresql://own", "", "")
    original, copy = Settings(data=tmp_path / "original"), Settings(data=tmp_path / "copy")
    house_keys = open_house_keys(original.keys_folder)
    supervisor = EmbeddedEngines(original.data, EnginePasswords("a", "b", "c"), wanted=())
    supervisor.start()
    note_running(original, server)
    shutil.copytree(original.data, copy.data)
    started = SimpleNamespace(start=lambda: own, stop=lambda: None)
    monkeypatch.setattr(installation, "embedded_engines", lambda *_: started)

    def reached(settings: Settings) -> str:
        with reachable_engines(settings, house_keys, lambda _: None) as urls:
            return urls.database_url

    assert (reached(original), reached(copy)) == (server.database_url, own.database_url)
    supervisor.stop()
    assert reached(original) == own.database_url, "the number of a server that was killed may be another's by now"


def test_an_empty_folder_of_policies_that_nobody_may_write_is_one_without_policies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a mounted config map without files is. Root may write wherever the system lets it."""
    monkeypatch.setattr(os, "access", lambda *_: False)
    prepare_policies(tmp_path)
    assert list(tmp_path.iterdir()) == []
    prepare_policies(tmp_path / "new")
    assert (tmp_path / "new" / "default.yaml").exists()
