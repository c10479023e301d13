"""The policies that the database holds, as files of this instance: what loads, tests and serves them is the same."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import structlog

from detectors.errors import StorageError
from detectors.whole_files import write_whole
from policies.layers import Library
from proxy.settings import Settings
from storage.policy_versions import PolicyVersions
from storage.postgres import Database
from storage.revisions import read_revisions

_LOG: Final = structlog.get_logger("promptshield.policies")
_PAUSE: Final = 0.5  # seconds; with the second of a worker's own look a change is everywhere within two


def held_folder(settings: Settings) -> Path:
    return settings.data / "held-policies"


def library_of(settings: Settings) -> Library:
    """Return what a policy of this installation may extend: the same for whoever checks a text as for workers."""
    return Library(settings.policies_folder, held_folder(settings))


async def fetch_held(database: Database, folder: Path) -> None:
    """Make the folder hold exactly what the database says is in force. Raises StorageError, OSError."""
    held = {version.name: version.content for version in await PolicyVersions(database).in_force()}
    await asyncio.to_thread(_write, folder, held)


async def follow_held(database: Database, folder: Path) -> None:
    """Do so again whenever the counter of `private.revisions` moves; while the database is away nothing changes."""
    seen: int | None = None
    problem = ""  # told once, not twice a second for as long as it lasts
    while True:
        try:
            counter = (await read_revisions(database)).policies
            if counter != seen:
                await fetch_held(database, folder)
                seen = counter
            problem = ""
        except (StorageError, OSError) as exc:
            if type(exc).__name__ != problem:
                problem = type(exc).__name__
                _LOG.warning("policies of the database could not be fetched", error=problem)
        await asyncio.sleep(_PAUSE)


def _write(folder: Path, held: Mapping[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    wanted = {folder / f"{name}.yaml": content.encode() for name, content in held.items()}
    for file, content in wanted.items():
        if not file.is_file() or file.read_bytes() != content:
            file.parent.mkdir(exist_ok=True)
            write_whole(file, content)
    for file in folder.rglob("*.yaml"):
        if file not in wanted:
            file.unlink(missing_ok=True)
