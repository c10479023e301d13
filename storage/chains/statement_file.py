"""Statements outside the database: one file for each instance that only grows, one line for each statement."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from detectors.errors import StorageError, UnavailableError
from storage.chains.statements import Statement

_BLOCK: Final = 1 << 16
_OPEN: Final = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW


class StatementFile:
    """`<folder>/<instance>.jsonl`, 0600, as `Statement.line()` writes it. Everything here blocks."""

    def __init__(self, folder: Path, instance: str) -> None:
        self._file = folder / f"{instance}.jsonl"

    def last(self) -> Statement | None:
        """Return the newest statement. Raises UnavailableError, and StorageError if the file holds something else."""
        with self._locked() as descriptor:
            return _last(descriptor)

    def append(self, statements: Sequence[Statement]) -> tuple[Statement, ...]:
        """Add those that are younger than the last one there, wait for the disk, and return them.

        What a crash left of a line is cut off first. Raises as `last` does.
        """
        with self._locked() as descriptor:
            last = _last(descriptor)
            new = tuple(s for s in statements if last is None or s.number > last.number)
            if new:
                os.ftruncate(descriptor, _end_of_lines(descriptor))
                _write(descriptor, b"".join(statement.line() + b"\n" for statement in new))
            return new

    @contextmanager
    def _locked(self) -> Iterator[int]:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self._file, _OPEN, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                yield descriptor
            finally:
                os.close(descriptor)
        except OSError as exc:
            raise UnavailableError(f"{self._file}: {exc.strerror}") from exc


def read_statements(folder: Path) -> dict[str, tuple[Statement, ...]]:
    """Return what the files of a folder hold, by instance, in their order; a line that a crash cut off is left out.

    Raises StorageError for a file that holds anything else.
    """
    try:
        return {file.stem: tuple(_statements_of(file)) for file in sorted(folder.glob("*.jsonl"))}
    except OSError as exc:
        raise StorageError(f"{folder}: {exc.strerror}") from exc


def _statements_of(file: Path) -> Iterator[Statement]:
    with file.open("rb") as opened:
        for number, line in enumerate(opened, start=1):
            if not line.endswith(b"\n"):
                return
            try:
                yield Statement.from_line(line)
            except StorageError as exc:
                raise StorageError(f"{file}:{number}: {exc}") from exc


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    os.fsync(descriptor)


def _last(descriptor: int) -> Statement | None:
    end = _end_of_lines(descriptor)
    if end == 0:
        return None
    start = _line_feed_before(descriptor, end - 1)
    return Statement.from_line(os.pread(descriptor, end - start, start))


def _end_of_lines(descriptor: int) -> int:
    return _line_feed_before(descriptor, os.fstat(descriptor).st_size)


def _line_feed_before(descriptor: int, end: int) -> int:
    """Return the offset behind the last line feed before `end`, or 0."""
    while end > 0:
        start = max(0, end - _BLOCK)
        found = os.pread(descriptor, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0
