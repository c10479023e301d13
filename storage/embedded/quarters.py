"""Where the engines live; as root that depends on where an unprivileged account can go."""

from __future__ import annotations

import os
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from detectors.errors import EngineError
from storage.embedded.account import Account, owner_account, unprivileged_account
from storage.embedded.binaries import Binaries, copied_binaries, installed_binaries
from storage.embedded.folders import make_folder
from storage.embedded.types import ENGINES, Report

SYSTEM_FOLDER = Path("/var/lib/promptshield")


@dataclass(frozen=True, slots=True)
class Quarters:
    """The account the engines run under (None: our own), the folder of their data, and their programs."""

    account: Account | None
    folder: Path
    binaries: Binaries

    def room(self, engine: str) -> Path:
        """Return the folder of `engine`, made unless it is there. Raises OSError.

        Port, log and lock lie in it and stay ours: the engine's account, which owns `data` inside, cannot put a link
        in our way.
        """
        room = self.folder / engine
        make_folder(room, 0o711 if self.account else 0o700)
        return room


def find_quarters(data: Path, system: Path, report: Report) -> Quarters:
    """Return where the engines of the data folder `data` (absolute, resolved) live; as root maybe below `system`.

    Raises EngineError and OSError.
    """
    if os.geteuid() != 0:
        return Quarters(None, data, installed_binaries())
    moved = system / "data" / blake2b(os.fsencode(data), digest_size=6).hexdigest()
    account = _owner_below(moved) or _owner_below(data) or unprivileged_account()
    folder = _reachable_folder(account, data, moved)
    if folder == moved:
        report(f"account {account.name} cannot reach {data}: the engines keep their data in {moved}")
    return Quarters(account, folder, _reachable_binaries(account, system / "engines"))


def _owner_below(folder: Path) -> Account | None:
    """Return whom existing data belongs to: it may have been made by a user, or before a better account existed."""
    owners = (owner_account(folder / engine / "data") for engine in ENGINES)
    return next((owner for owner in owners if owner), None)


def _reachable_folder(account: Account, data: Path, moved: Path) -> Path:
    if not moved.is_dir():  # once moved, always there: the database must not depend on the modes of the day
        if account.reaches(data):
            return data
        if _owner_below(data):
            raise EngineError(
                f"account {account.name} owns the database below {data} but cannot reach it any more: give back the "
                f"x permission on the folders above it, or move its postgres and valkey folders to {moved}"
            )
    for folder in (moved.parent.parent, moved.parent, moved):
        make_folder(folder, 0o711)
    _check_reach(account, moved)
    return moved


def _reachable_binaries(account: Account, engines: Path) -> Binaries:
    installed = installed_binaries()
    if all(account.reaches(program) for program in installed.programs):
        return installed
    for folder in (engines.parent, engines):
        make_folder(folder, 0o711)
    _check_reach(account, engines)
    return copied_binaries(installed, engines)


def _check_reach(account: Account, folder: Path) -> None:
    if not account.reaches(folder):
        raise EngineError(
            f"account {account.name} cannot reach {folder}: give it the x permission on the folders above"
        )
