"""File locks: who owns a data folder, and whether a process of an earlier engine still lives."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from pathlib import Path

from detectors.errors import EngineError

CLAIM = "engines.lock"
_TICK_SECONDS = 0.02
_ORPHANS_SECONDS = 5.0


def take_lock(path: Path, seconds: float) -> int | None:
    """Return a descriptor that holds the lock file `path`, or None if somebody else holds it for `seconds`.

    The lock lasts until every copy of the descriptor is closed, those of child processes included. Raises OSError.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + seconds
    while not _locked(descriptor):
        if time.monotonic() >= deadline:
            os.close(descriptor)
            return None
        threading.Event().wait(_TICK_SECONDS)
    return descriptor


def claim_data(data: Path) -> int:
    """Return a descriptor that makes this process the one supervisor of `data`. Raises EngineError and OSError.

    Workers inherit the lock by fork, so after the death of a supervisor it lasts until they are gone; only then,
    and not while another supervisor lives, is it worth waiting.
    """
    path = data / CLAIM
    descriptor = take_lock(path, 0)
    if descriptor is None:
        holder = _holder(path)
        if holder is not None and _alive(holder):
            raise EngineError(
                f"promptshield already runs on {data} (process {holder}): stop it or choose another --data"
            )
        descriptor = take_lock(path, _ORPHANS_SECONDS)
    if descriptor is None:
        raise EngineError(f"workers of an ended promptshield still use {data}: end them (`lsof {path}` names them)")
    os.truncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
    return descriptor


def is_claimed(data: Path) -> bool:
    """Tell whether a supervisor of `data` lives, or a process that it left behind."""
    try:
        descriptor = os.open(data / CLAIM, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def release_data(descriptor: int) -> None:
    """Give up a claim, also on behalf of forked workers that still hold a copy of the descriptor."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="utf-8"))
    except ValueError:  # between its two writes, or garbage
        return None


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
