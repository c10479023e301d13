"""What the database holds as files: whole or not there, and a bad hour leaves neither files nor a log full of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from detectors.errors import DatabaseUnavailableError
from proxy import held_policies
from proxy.held_policies import fetch_held, follow_held
from storage.policy_versions import PolicyVersions
from tests.full_disk import a_full_disk

ANY_DATABASE: Any = None


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


async def test_a_database_that_is_away_is_told_of_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0

    async def read_revisions(_: object) -> SimpleNamespace:
        nonlocal asked
        asked += 1
        if asked > 6:
            raise asyncio.CancelledError
        if asked == 4:
            return SimpleNamespace(policies=None)  # back for a moment, with nothing new
        raise DatabaseUnavailableError("away")

    monkeypatch.setattr(held_policies, "read_revisions", read_revisions)
    monkeypatch.setattr(held_policies, "_PAUSE", 0)
    with capture_logs() as told, pytest.raises(asyncio.CancelledError):
        await follow_held(ANY_DATABASE, tmp_path)

    assert [line["error"] for line in told] == ["DatabaseUnavailableError"] * 2
