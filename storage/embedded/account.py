"""Accounts: which one the engines run under when we are root, and where it can go."""

from __future__ import annotations

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from detectors.errors import EngineError

_CANDIDATES = ("postgres", "daemon", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """An unprivileged account of the system. It gets its own group and no supplementary ones."""

    name: str
    uid: int
    gid: int

    def reaches(self, path: Path) -> bool:
        """Say whether the mode bits of `path` (absolute, resolved) and of all its parents let the account in."""
        return all(self._may_enter(part.stat()) for part in (path, *path.parents))

    def _may_enter(self, status: os.stat_result) -> bool:
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IXUSR)
        if status.st_gid == self.gid:
            return bool(status.st_mode & stat.S_IXGRP)
        return bool(status.st_mode & stat.S_IXOTH)


def unprivileged_account() -> Account:
    """Return the first of postgres, daemon and nobody that exists. Raises EngineError."""
    entries = {entry.pw_name: entry for entry in pwd.getpwall()}
    for name in _CANDIDATES:
        if name in entries and entries[name].pw_uid != 0:
            return Account(name, entries[name].pw_uid, entries[name].pw_gid)
    raise EngineError(
        f"Postgres refuses to run as root and none of the accounts {', '.join(_CANDIDATES)} exists: "
        "create one, start as another user, or set DATABASE_URL and REDIS_URL"
    )


def owner_account(path: Path) -> Account | None:
    """Return the account that owns `path`, or None where nothing is there or root owns it."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    if status.st_uid == 0:
        return None
    try:
        name = pwd.getpwuid(status.st_uid).pw_name
    except KeyError:  # a number without a name is an account too
        name = str(status.st_uid)
    return Account(name, status.st_uid, status.st_gid)
