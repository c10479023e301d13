"""Folders the engines need: made by us and only then given a mode, so that nobody else's folder is ever changed."""

from __future__ import annotations

import os
from pathlib import Path

from storage.embedded.account import Account


def make_folder(path: Path, mode: int) -> None:
    """Make the folder `path` with exactly `mode`, whatever the umask, unless it is there. Raises OSError."""
    try:
        path.mkdir()
    except FileExistsError:
        return
    path.chmod(mode)


def make_private(path: Path, account: Account | None) -> None:
    """Make the folder `path` for `account` (None: ourselves) alone unless it is there. Raises OSError."""
    if path.is_dir():
        return
    make_folder(path, 0o700)
    if account:
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


def move_into_place(finished: Path, place: Path) -> None:
    """Give the folder `finished` its name `place`, for good even if the power fails next. Raises OSError."""
    finished.replace(place)
    parent = os.open(place.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)
