"""What lies in the journal's folder: segments, the locks of their writers, what was carried over; names and sizes.

A writer's segments are numbered from 1. Segment 0 is not the writer's: whoever removes segments puts the exchanges
there that were opened in them and are not closed yet. Segments go in order, so that what is left always tells the end
of every exchange that it tells the beginning of.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from detectors.errors import JournalError

CARRIED: Final = 0  # the number of the segment that holds what was carried over
_SEGMENT: Final = ".jnl"
_LOCK: Final = ".lock"
_TAIL: Final = 64 << 10


def segment_name(writer: str, number: int) -> str:
    return f"{writer}.{number:06d}{_SEGMENT}"


def lock_name(writer: str) -> str:
    return f"{writer}{_LOCK}"


def writers_in(folder: Path) -> dict[str, list[int]]:
    """Return the numbers of each writer's segments in order; a writer may have none. Raises JournalError.

    Segments without a lock file count too: whoever lost it is not to lose the decisions as well.
    """
    found: dict[str, list[int]] = {}
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return found
    except OSError as exc:
        raise JournalError(f"journal {folder}: {exc.strerror}") from exc
    for name in sorted(names):
        stem, suffix = os.path.splitext(name)
        writer, _, number = stem.partition(".")
        if suffix == _LOCK and not number:
            found.setdefault(writer, [])
        elif suffix == _SEGMENT and number.isdecimal():
            found.setdefault(writer, []).append(int(number))
    for numbers in found.values():
        numbers.sort()
    return found


def journal_size(folder: Path) -> int:
    """Return how many bytes lie in the segments below `folder`, those of other instances included."""
    return sum(map(size_of, folder.rglob(f"*{_SEGMENT}")))


def size_of(file: Path) -> int:
    """Return the bytes of a segment, 0 if it is gone: shipped and removed meanwhile."""
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def written_at(file: Path) -> int:
    """Return when a segment was written to last, in nanoseconds; 0 if it is gone."""
    try:
        return file.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def read_piece(file: Path, offset: int, size: int) -> bytes:
    """Return at most `size` bytes from `offset` on; none if the file is gone. Raises JournalError."""
    try:
        with file.open("rb", buffering=0) as opened:
            opened.seek(offset)
            return opened.read(size)
    except FileNotFoundError:
        return b""
    except OSError as exc:
        raise JournalError(f"journal {file.name}: {exc.strerror}") from exc


def read_tail(file: Path) -> bytes:
    """Return the last 64 KiB of a segment, or what there is. Raises JournalError."""
    return read_piece(file, max(0, size_of(file) - _TAIL), _TAIL)


def lock_of_the_dead(folder: Path, writer: str) -> int | None:
    """Return a descriptor holding the writer's lock if its writer is dead, else None."""
    try:
        descriptor = os.open(folder / lock_name(writer), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def adopt(folder: Path) -> int:
    """Bring what dead writers of the folders beside `folder` left into it, and return how many segments.

    They are journals of other names that this data folder had: its first release named them after the host and the
    port, and a name that was lost is made anew. Whoever ships `folder` knows of no other. What cannot be moved stays.
    """
    adopted = 0
    for other in folder.parent.iterdir():
        if other == folder or not other.is_dir():
            continue
        for writer, numbers in writers_in(other).items():
            lock = lock_of_the_dead(other, writer)
            if lock is None:
                continue
            with suppress(OSError):  # the lock last: without it the rest still counts
                for name in (*(segment_name(writer, number) for number in numbers), lock_name(writer)):
                    (other / name).rename(folder / name)
                adopted += len(numbers)
            os.close(lock)
    return adopted


def carry_over(folder: Path, writer: str, frames: Iterable[bytes]) -> None:
    """Put the frames of a writer's open exchanges, in order, where its oldest segment was. Raises JournalError."""
    replace_file(folder / segment_name(writer, CARRIED), b"".join(frames))


def replace_file(file: Path, content: bytes) -> None:
    """Write a file so that whoever reads it sees either the old content or the new. Raises JournalError."""
    written = file.with_suffix(".new")
    try:
        descriptor = os.open(written, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(content)
            opened.flush()
            os.fdatasync(descriptor)
        written.replace(file)
    except OSError as exc:
        raise JournalError(f"journal {file.name}: {exc.strerror}") from exc


def remove(file: Path, *, keep: bool = False) -> None:
    """Unlink a file, or keep it as `.torn`; one that is gone is fine. Raises JournalError."""
    try:
        if keep:
            file.rename(file.with_suffix(".torn"))
        else:
            file.unlink()
    except FileNotFoundError:
        return
    except OSError as exc:
        raise JournalError(f"journal {file.name}: {exc.strerror}") from exc
