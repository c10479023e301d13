"""A data folder has one supervisor, also where no engine of ours runs in it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from detectors.errors import EngineError
from storage.embedded import EmbeddedEngines, EnginePasswords


def test_two_supervisors_with_engines_elsewhere_do_not_share_a_data_folder(tmp_path: Path) -> None:
    first, second = (EmbeddedEngines(tmp_path, EnginePasswords("a", "b", "c"), wanted=()) for _ in range(2))
    first.start()
    with pytest.raises(EngineError) as refused:
        second.start()
    assert str(refused.value) == (
        f"promptshield already runs on {tmp_path} (process {os.getpid()}): stop it or choose another --data"
    )
    first.stop()
    second.start()
    second.stop()
