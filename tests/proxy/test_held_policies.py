"""What the database holds as files: whole or not there."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from proxy.held_policies import fetch_held
from storage.policy_versions import PolicyVersions

ANY_DATABASE: Any = None


@contextmanager
def a_full_disk() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def contents(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in folder.iterdir()}


async def test_a_full_disk_leaves_the_policies_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = {"acme": "mode: monitor\n"}

    async def in_force(_: object) -> list[SimpleNamespace]:
        return [SimpleNamespace(name=name, content=content) for name, content in held.items()]

    monkeypatch.setattr(PolicyVersions, "in_force", in_force)
    await fetch_held(ANY_DATABASE, tmp_path)
    held["acme"] = "extends: preset/strict\nmode: monitor\n"
    for _ in range(3):
        with a_full_disk(), pytest.raises(OSError, match="File too large"):
            await fetch_held(ANY_DATABASE, tmp_path)

    assert contents(tmp_path) == {"acme.yaml": "mode: monitor\n"}
