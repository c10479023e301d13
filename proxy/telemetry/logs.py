"""What the log is: one JSON object a line, from a level up, so many of each event a second, in bounded files."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Literal, TextIO

import structlog
from pydantic import BaseModel, ConfigDict, Field

from policies.schema_words import SizeText

_LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
Event = MutableMapping[str, Any]


class LogSettings(BaseModel):
    """`level` and more; at most `burst` lines of one event a second from each process; into `file` (standard error
    without one), of which `keep` older ones of `rotate` bytes are kept.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    level: Literal["debug", "info", "warning", "error"] = "info"
    burst: int = Field(default=20, ge=1)
    file: Path | None = None
    rotate: SizeText = 64 << 20
    keep: int = Field(default=5, ge=1, le=100)


class Burst:
    """A structlog processor that lets so many of each event through a second, and tells how many it did not."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = most, clock
        self._second, self._seen = 0, Counter[str]()

    def __call__(self, _logger: Any, _method: str, event: Event) -> Event:
        second, name = int(self._clock()), str(event.get("event", ""))
        if second != self._second:
            dropped = sum(count - self._most for count in self._seen.values() if count > self._most)
            self._second = second
            self._seen.clear()
            if dropped:  # told by the next line, whatever it is about
                event["dropped_lines"] = dropped
        self._seen[name] += 1
        if self._seen[name] > self._most:
            raise structlog.DropEvent
        return event


class LogStream:
    """Writes lines to a stream that is open. One that is full, or that nobody reads any more, loses them: a log must
    not stop what it tells of.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def msg(self, line: str) -> None:
        with suppress(OSError):
            self._stream.write(f"{line}\n")
            self._stream.flush()

    debug = info = warning = error = critical = msg


class LogFile:
    """Appends lines, each with one write, so that processes share a file. One of them rotates; all notice."""

    def __init__(self, file: Path, rotate: int, keep: int) -> None:
        self._file, self._rotate_at, self._keep = file, rotate, keep
        self._opened = -1
        self._looked = 0.0

    def msg(self, line: str) -> None:
        """Write one line. A disk that is full loses it."""
        now = time.monotonic()
        if self._opened < 0 or now - self._looked > 1:
            self._looked = now
            self._reopen()
        try:
            os.write(self._opened, f"{line}\n".encode(errors="replace"))
        except OSError:
            self._close()

    debug = info = warning = error = critical = msg

    def problem(self) -> str:
        """Say why no line can be written now, if so: nobody is told of it by a line."""
        try:
            os.close(os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640))
        except OSError as exc:
            return f"nothing is logged: {self._file}: {exc.strerror}"
        return ""

    def rotate(self) -> None:
        """Move a file that is too long aside, and the oldest away. To be called by one process alone.

        In a folder that takes no other files it grows on.
        """
        older = [self._file, *(self._file.with_name(f"{self._file.name}.{n}") for n in range(1, self._keep + 1))]
        with suppress(OSError):
            if self._file.stat().st_size < self._rotate_at:
                return
            for newer, old in reversed(list(pairwise(older))):
                if newer.exists():
                    newer.replace(old)

    def _reopen(self) -> None:
        try:
            if self._opened >= 0 and os.fstat(self._opened).st_ino == self._file.stat().st_ino:
                return
        except OSError:
            pass
        self._close()
        try:
            self._opened = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        except OSError:
            self._opened = -1

    def _close(self) -> None:
        if self._opened >= 0:
            os.close(self._opened)
            self._opened = -1


class _Libraries(logging.Handler):
    """What libraries log, from warnings up, as one of our lines: their level and name, and that something was said.

    Their words can quote a request, an address with its password, or a key.
    """

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger("library").warning(
            "a library logged", library=record.name, level_of_it=record.levelname.lower(), line=record.lineno
        )


def configure_logs(settings: LogSettings) -> LogFile | None:
    """Send every line where the settings say; return the file that the calling process may rotate."""
    file = None if settings.file is None else LogFile(settings.file, settings.rotate, settings.keep)
    logger = LogStream(sys.stderr) if file is None else file
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[settings.level]),
        processors=[
            Burst(settings.burst),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=lambda *_: logger,
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, handlers=[_Libraries()], force=True)
    # aiohttp logs each broken request with a traceback that quotes it.
    for name in ("aiohttp", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return file
