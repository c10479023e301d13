"""Files of lines that only grow: rotated, synchronised, mended after a crash, and each line in them once.

One process writes a folder at a time (a lock says so). Everything here blocks; callers use a thread.
"""

from __future__ import annotations

import fcntl
import math
import os
import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from detectors.errors import UnavailableError

REMEMBERED: Final = 20_000  # ids: more than the shipper can have in flight, by far
_TAIL: Final = 32 << 20  # bytes at the end of a file that are looked at for ids
_WRITE: Final = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW


@dataclass(frozen=True, slots=True)
class Rotation:
    """A file gets no more lines once it would grow over `size` bytes or was begun on an earlier day (UTC).

    Of finished files the newest `files` stay, and of those as many as fit in `total` bytes; None keeps all.
    """

    size: int
    files: int | None = None
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """`data` ends in a line feed and holds no other; `id` is found in it by `LineFiles.id_pattern`."""

    id: str
    data: bytes


class LineFiles:
    """`<stem>-<YYYYMMDD>.<number>.jsonl` in a folder, 0600. The names sort in the order of writing.

    A line whose id is among the last 20,000 is there already and is not written again; so that a batch that comes
    again after a crash adds nothing. Every method raises UnavailableError when the disk or the folder refuses.
    """

    def __init__(self, folder: Path, stem: str, rotation: Rotation, id_pattern: re.Pattern[bytes]) -> None:
        self._folder, self._stem, self._rotation, self._id_pattern = folder, stem, rotation, id_pattern
        self._names = re.compile(rf"{re.escape(stem)}-(\d{{8}})\.(\d{{6,}})\.jsonl")
        self._recent: OrderedDict[str, None] = OrderedDict()
        self._lock: int | None = None
        self._file: Path | None = None
        self._begun: float | None = None
        self._descriptor: int | None = None

    def append(self, lines: Sequence[Line], now: float) -> None:
        """Write the lines that are not there yet, all or none, and wait until they are on the disk."""
        with self._starting_over_after_failure():
            self.open()
            new = {line.id: line.data for line in lines if line.id not in self._recent}
            if not new:
                return
            data = b"".join(new.values())
            _write(self._descriptor_for(len(data), now), data)
            self._remember(new)

    def seal(self) -> None:
        """Let the next line begin a new file."""
        self._close_file()
        self._file = None

    def finished(self) -> list[Path]:
        """The files that get no more lines, oldest first."""
        return [file for file in self._files() if file != self._file]

    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.stat().st_size for file in self._files())

    def age(self, now: float) -> float:
        """Seconds since this process began the current file; infinite if an earlier one did, or if the clock was put
        back since, 0 if there is none.
        """
        if self._file is None:
            return 0.0
        return math.inf if self._begun is None or now < self._begun else now - self._begun

    def open(self) -> None:
        """Take the folder, mend what a crash left, and learn what is there. `append` does it, too."""
        if self._lock is not None:
            return
        with self._starting_over_after_failure():
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = _locked(self._folder / f"{self._stem}.lock")
            files = self._files()
            self._file, self._begun = (files[-1], None) if files else (None, None)
            if self._file is not None:
                _mend(self._file)
            for file in files[-3:]:
                self._remember(_ids_at_the_end(file, self._id_pattern))

    def close(self) -> None:
        """Let go of the folder. May be called twice; `append` takes it again."""
        self._close_file()
        self._recent.clear()
        if self._lock is not None:
            descriptor, self._lock = self._lock, None
            os.close(descriptor)

    @contextmanager
    def _starting_over_after_failure(self) -> Iterator[None]:
        """What is half written is mended when the folder is taken again."""
        try:
            yield
        except OSError as exc:
            self.close()
            raise UnavailableError(f"{self._folder}: {exc.strerror}") from exc

    def _files(self) -> list[Path]:
        return sorted(file for file in self._folder.iterdir() if self._names.fullmatch(file.name))

    def _descriptor_for(self, size: int, now: float) -> int:
        today = datetime.fromtimestamp(now, UTC).strftime("%Y%m%d")
        if self._file is not None and self._is_finished(self._file, size, today):
            self.seal()
        if self._descriptor is not None and os.fstat(self._descriptor).st_nlink == 0:
            self._close_file()  # somebody removed it: what we wrote would go nowhere
        if self._file is None:
            self._file, self._begun = self._next_name(today), now
            self._prune()
        if self._descriptor is None:
            self._descriptor = os.open(self._file, _WRITE | os.O_CREAT, 0o600)
            _sync_folder(self._folder)
        return self._descriptor

    def _is_finished(self, file: Path, size: int, today: str) -> bool:
        # A clock that was set back does not finish a file: names would no longer sort.
        begun_earlier = _day_and_number(file)[0] < today
        return begun_earlier or (file.exists() and 0 < file.stat().st_size > self._rotation.size - size)

    def _next_name(self, today: str) -> Path:
        day, number = max((_day_and_number(file) for file in self._files()), default=(today, 0))
        day, number = (today, 1) if day < today else (day, number + 1)
        return self._folder / f"{self._stem}-{day}.{number:06}.jsonl"

    def _remember(self, ids: Iterable[str]) -> None:
        self._recent |= dict.fromkeys(ids)
        while len(self._recent) > REMEMBERED:
            self._recent.popitem(last=False)

    def _prune(self) -> None:
        kept = 0
        for position, file in enumerate(reversed(self._files()), start=1):
            kept += file.stat().st_size
            too_many = self._rotation.files is not None and position > self._rotation.files
            if too_many or (self._rotation.total is not None and kept > self._rotation.total):
                file.unlink()

    def _close_file(self) -> None:
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)


def _write(descriptor: int, data: bytes) -> None:
    """Write all of it, and wait for the disk; or nothing, as far as the disk lets us."""
    before = os.fstat(descriptor).st_size
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fdatasync(descriptor)
    except OSError:
        os.ftruncate(descriptor, before)
        raise


def _locked(file: Path) -> int:
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        os.close(descriptor)
        raise UnavailableError(f"{file.parent}: another process writes there") from exc
    return descriptor


def _mend(file: Path) -> None:
    """Move what follows the last line feed to `<file>.torn`: a crash cut it off."""
    descriptor = os.open(file, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "r+b") as opened:
        end = opened.seek(0, os.SEEK_END)
        start = _last_line_end(descriptor, end)
        if start == end:
            return
        opened.seek(start)
        torn = os.open(file.with_suffix(".torn"), _WRITE | os.O_CREAT, 0o600)
        with os.fdopen(torn, "ab") as kept:
            kept.write(opened.read())
            kept.flush()
            os.fsync(torn)
        opened.truncate(start)
        os.fsync(descriptor)


def _last_line_end(descriptor: int, end: int) -> int:
    """Return the offset behind the last line feed before `end`, reading backwards."""
    while end > 0:
        start = max(0, end - (1 << 20))
        found = os.pread(descriptor, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def _ids_at_the_end(file: Path, pattern: re.Pattern[bytes]) -> list[str]:
    with file.open("rb") as opened:
        opened.seek(max(0, file.stat().st_size - _TAIL))
        found = (pattern.search(line) for line in opened)
        return [match.group(1).decode() for match in found if match][-REMEMBERED:]


def _day_and_number(file: Path) -> tuple[str, int]:
    day, _, number = file.name.removesuffix(".jsonl").rpartition("-")[2].partition(".")
    return day, int(number)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
