"""The words of the embedded engines: their passwords, their addresses, and what one engine has to say for itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from signal import Signals
from typing import Protocol

from detectors.errors import EngineError

ENGINES = ("postgres", "valkey")

Report = Callable[[str], None]

_URL_SAFE = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class EnginePasswords:
    """The passwords of the database superuser, of the run-time login and of Valkey: letters, digits, `_` and `-`.

    The alphabet is closed because they stand in URLs, in SQL and in Valkey's configuration. Raises EngineError.
    """

    owner: str = field(repr=False)
    login: str = field(repr=False)
    valkey: str = field(repr=False)

    def __post_init__(self) -> None:
        if not all(_URL_SAFE.fullmatch(password) for password in (self.owner, self.login, self.valkey)):
            raise EngineError("an engine password is empty or holds more than letters, digits, '_' and '-'")


@dataclass(frozen=True, slots=True)
class EngineUrls:
    """Where the engines answer; the passwords are inside. The URL of an engine that was not wanted is empty."""

    database_url: str = field(repr=False)
    database_owner_url: str = field(repr=False)
    redis_url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Launch:
    """What starts an engine: its command line, and what it reads from standard input (where secrets belong)."""

    argv: tuple[str, ...]
    stdin: bytes = b""


class Engine(Protocol):
    """One engine as its server sees it. `data` is the only folder the engine itself writes to."""

    @property
    def name(self) -> str: ...
    @property
    def data(self) -> Path: ...
    @property
    def stop_signal(self) -> Signals:
        """Ends the engine in order, with all its data."""

    @property
    def death_signal(self) -> Signals:
        """Ends the engine at once when its supervisor was killed; committed data stays."""

    def prepare(self, lock: int) -> None:
        """Make `data` ready for a start; every child inherits the descriptor `lock`. Raises EngineError."""

    def launch(self, port: int) -> Launch: ...
    def answers(self, pid: int, port: int) -> bool:
        """Say whether the engine with process id `pid` serves requests by now. Never blocks longer than a second."""
