"""What the tests of the embedded engines share; run as a script, it is the supervisor that they kill."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil
import redis

from detectors.errors import EngineError
from storage.embedded import EmbeddedEngines, EnginePasswords, EngineUrls
from storage.embedded.account import Account
from storage.embedded.binaries import installed_binaries
from storage.embedded.types import ENGINES

PASSWORDS = EnginePasswords("owner-test", "login-test", "valkey-test")
_REPOSITORY = Path(__file__).parents[2]


@contextlib.contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that every account can reach; pytest's own lie below one of mode 0700."""
    with tempfile.TemporaryDirectory(prefix="ps-engines-", ignore_cleanup_errors=True) as folder:
        path = Path(folder).resolve()
        path.chmod(0o755)
        yield path


@contextlib.contextmanager
def running(data: Path, wanted: Collection[str] = ENGINES) -> Iterator[EngineUrls]:
    engines = EmbeddedEngines(data, PASSWORDS, wanted=wanted)
    try:
        yield engines.start()
    finally:
        engines.stop()


def sql(url: str, statement: str) -> str:
    """Run one statement with the shipped psql and return what it prints; an error of Postgres fails the test."""
    psql = str(installed_binaries().postgres_program("psql"))
    argv = [psql, "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", statement, url]
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=20).stdout.strip()


def valkey(url: str, *command: str) -> object:
    with redis.Redis.from_url(url, decode_responses=True) as client:
        return client.execute_command(*command)


def postmaster(data: Path) -> psutil.Process:
    return psutil.Process(int((data / "postgres/data/postmaster.pid").read_text().split()[0]))


def valkey_server(url: str) -> psutil.Process:
    with redis.Redis.from_url(url) as client:
        return psutil.Process(client.info("server")["process_id"])


def all_end_within(seconds: float, processes: Collection[psutil.Process]) -> bool:
    """Say whether all of `processes` end; one that only waits for the system to collect its status has ended."""
    deadline = time.monotonic() + seconds
    while any(_lives(process) for process in processes):
        if time.monotonic() > deadline:
            return False
        pause()
    return True


def pause() -> None:
    """Let ten milliseconds pass."""
    threading.Event().wait(0.01)


def _lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@dataclass
class Supervisor:
    """A process of its own that runs the engines: what it reported so far, and its addresses or its error."""

    process: subprocess.Popen[str]
    reports: list[str] = field(default_factory=list)
    urls: EngineUrls = field(default_factory=lambda: EngineUrls("", "", ""))
    error: str = ""

    def read(self) -> str:
        """Take in the next line of the process and return what kind it is."""
        assert self.process.stdout
        kind, what = json.loads(self.process.stdout.readline())
        if kind == "report":
            self.reports.append(what)
        elif kind == "urls":
            self.urls = EngineUrls(**what)
        else:
            self.error = what
        return str(kind)

    def started(self) -> Supervisor:
        while self.read() == "report":
            pass
        return self

    def engines(self) -> list[psutil.Process]:
        """Return the postmaster and the Valkey server, without the processes that these start."""
        return psutil.Process(self.process.pid).children()


@contextlib.contextmanager
def supervisor(
    data: Path, system: Path, account: Account | None = None, packages: Path = _REPOSITORY
) -> Iterator[Supervisor]:
    """Run the engines in a child that becomes `account` and looks for the wheels in `packages` first."""
    becomes = (str(account.uid), str(account.gid)) if account else ()
    with subprocess.Popen(
        [sys.executable, __file__, str(data), str(system), *becomes],
        env={"PYTHONPATH": ":".join([str(packages), *filter(None, sys.path)]), "PATH": os.defpath},
        stdin=subprocess.PIPE,  # its end is the order to stop
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Supervisor(process)


def main(data: str, system: str, *becomes: str) -> None:
    if becomes:
        "localhost".encode("idna")  # loaded now: the account may not reach the standard library
        os.setgroups([])
        os.setgid(int(becomes[1]))
        os.setuid(int(becomes[0]))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGQUIT, signal.SIGTERM})  # as supervisors do
    engines = EmbeddedEngines(Path(data), PASSWORDS, lambda line: _tell("report", line), system=Path(system))
    try:
        _tell("urls", asdict(engines.start()))
        sys.stdin.read()
    except EngineError as exc:
        _tell("error", str(exc))
    finally:
        engines.stop()


def _tell(kind: str, what: object) -> None:
    sys.stdout.write(json.dumps([kind, what]) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
