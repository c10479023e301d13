"""An engine's log: opened for its child, kept small, and read back for the one line that says what went wrong."""

from __future__ import annotations

import os
import re
from pathlib import Path

_LIMIT_SIZE = 8 << 20
_TAIL_SIZE = 64 << 10
_COMPLAINT = re.compile(r"(?:FATAL|PANIC|\[FATAL\]| #):?\s+(.+)")


def open_log(path: Path) -> int:
    """Return a descriptor that appends to `path`, emptied if it had outgrown its limit. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    bound_log(path)
    return descriptor


def bound_log(path: Path) -> None:
    """Empty `path` if it has outgrown its limit; whoever appends to it goes on at its start. Raises OSError."""
    if path.stat().st_size > _LIMIT_SIZE:
        os.truncate(path, 0)


def last_complaint(path: Path, since: int) -> str:
    """Return the last fatal message that was logged after the first `since` bytes, else the last line."""
    with path.open("rb") as log:
        size = log.seek(0, os.SEEK_END)
        log.seek(max(since, size - _TAIL_SIZE))
        lines = log.read().decode("utf-8", "replace").strip().splitlines()
    fatal = [match[1] for line in lines if (match := _COMPLAINT.search(line))]
    return (fatal or lines or ["it wrote nothing to its log"])[-1]
