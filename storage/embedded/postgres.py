"""The embedded Postgres: its first start (initdb), its settings, and the login and database that every start checks."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path
from signal import SIGINT, SIGQUIT, Signals

from detectors.errors import EngineError
from storage.embedded.account import Account
from storage.embedded.binaries import Binaries
from storage.embedded.child import run_child
from storage.embedded.folders import make_private, move_into_place
from storage.embedded.types import EnginePasswords, Launch, Report

_INITDB_SECONDS, _PSQL_SECONDS = 180.0, 60.0

# The builtin locale gives upper() and regular expressions all of Unicode, the same on every system.
_INITDB = (
    "--auth=scram-sha-256",
    "--pwfile=/dev/stdin",
    "--username=postgres",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--no-instructions",
)

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "60",
    "shared_buffers": "32MB",
    "max_wal_size": "256MB",  # a crash recovery reads it all: seconds, not minutes
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_error_verbosity": "terse",  # with the next one: no values of rows and no statements in the log
    "log_min_error_statement": "panic",
}

# Read from standard input; the secrets come by the environment of psql. The last line proves the login's password.
_SETTLE = r"""
\getenv login_password PS_LOGIN_PASSWORD
\getenv login_url PS_LOGIN_URL
SELECT format('CREATE ROLE promptshield LOGIN PASSWORD %L', :'login_password')
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'promptshield') \gexec
SELECT 'CREATE DATABASE promptshield'
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'promptshield') \gexec
\connect -reuse-previous=off :login_url
"""


class EmbeddedPostgres:
    """One Postgres on the cluster in `data`, which only its account may read."""

    name = "postgres"
    stop_signal: Signals = SIGINT  # "fast": clients are cut off, everything is written out
    death_signal: Signals = SIGQUIT  # "immediate": the next start replays the log; nothing committed is lost

    def __init__(
        self, binaries: Binaries, data: Path, account: Account | None, passwords: EnginePasswords, report: Report
    ) -> None:
        self.data = data
        self._binaries, self._account, self._passwords, self._report = binaries, account, passwords, report

    def prepare(self, lock: int) -> None:
        """Create the cluster unless it is there, and clear away a pid file that would keep it from starting."""
        if not (self.data / "PG_VERSION").exists():
            self._create_cluster(lock)
        _clear_stale_pid(self.data)

    def launch(self, port: int) -> Launch:
        settings = (f"{key}={value}" for key, value in {**_SETTINGS, "port": str(port)}.items())
        options = (word for setting in settings for word in ("-c", setting))
        return Launch((str(self._binaries.postgres_program("postgres")), "-D", str(self.data), *options))

    def answers(self, pid: int, port: int) -> bool:
        """Read it from the postmaster's own file: pid in the first line, port in the fourth, state in the eighth."""
        try:
            lines = (self.data / "postmaster.pid").read_text(encoding="utf-8").split("\n")
        except (OSError, ValueError):
            return False
        return len(lines) > 7 and (lines[0], lines[3], lines[7].strip()) == (str(pid), str(port), "ready")

    def settle(self, port: int) -> None:
        """Create login and database unless they are there, and prove both passwords. Raises EngineError."""
        secrets = {
            "PGPASSWORD": self._passwords.owner,
            "PS_LOGIN_PASSWORD": self._passwords.login,
            "PS_LOGIN_URL": self.login_url(port),
        }
        target = f"host=127.0.0.1 port={port} user=postgres dbname=postgres connect_timeout=10"
        psql = self._run("psql", "-Xq", "-v", "ON_ERROR_STOP=1", target, stdin=_SETTLE.encode(), secrets=secrets)
        if "password authentication failed" in psql.stderr:
            raise EngineError(
                f"the database in {self.data} has other passwords than the keys of this data folder: put back the "
                "keys it was made with, or move that folder away to begin with an empty database"
            )
        if psql.returncode:
            raise EngineError(f"the database in {self.data} could not be set up: {_last_line(psql.stderr)}")

    def login_url(self, port: int) -> str:
        return f"postgresql://promptshield:{self._passwords.login}@127.0.0.1:{port}/promptshield"

    def owner_url(self, port: int) -> str:
        return f"postgresql://postgres:{self._passwords.owner}@127.0.0.1:{port}/promptshield"

    def _create_cluster(self, lock: int) -> None:
        # Made beside its place and moved when complete: an initdb that was cut short leaves no broken cluster.
        _check_name()
        self._report("creating the database (first start)")
        unfinished = self.data.with_name(f"{self.data.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        make_private(unfinished, self._account)
        password = f"{self._passwords.owner}\n".encode()
        initdb = self._run("initdb", *_INITDB, "-D", str(unfinished), stdin=password, keep=(lock,))
        if initdb.returncode:
            raise EngineError(f"the database could not be created in {unfinished}: {_last_line(initdb.stderr)}")
        move_into_place(unfinished, self.data)

    def _run(
        self, program: str, *words: str, stdin: bytes, secrets: dict[str, str] | None = None, keep: tuple[int, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        argv = (str(self._binaries.postgres_program(program)), *words)
        seconds = _INITDB_SECONDS if program == "initdb" else _PSQL_SECONDS
        try:
            return run_child(argv, self._account, stdin=stdin, timeout=seconds, environment=secrets, keep=keep)
        except subprocess.TimeoutExpired as exc:
            raise EngineError(f"{program} did not end within {seconds:.0f} s: is the disk full or very slow?") from exc


def _check_name() -> None:
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError as exc:
        raise EngineError(
            f"initdb refuses to run as user id {os.geteuid()}, which has no name: "
            "start as a user of /etc/passwd, or set DATABASE_URL and REDIS_URL"
        ) from exc


def _clear_stale_pid(data: Path) -> None:
    """Remove a pid file that is no number, or whose number now belongs to a process that is no Postgres of `data`.

    Postgres gives up on both (after a power cut, or in a container where pids repeat) and cannot know what our lock
    says: no process of an earlier start lives.
    """
    pid_file = data / "postmaster.pid"
    try:
        pid = int(pid_file.read_bytes().split(b"\n")[0])
    except FileNotFoundError:
        return
    except ValueError:
        pid_file.unlink()
        return
    if sys.platform == "linux" and not _works_in(pid, data):
        pid_file.unlink()


def _works_in(pid: int, folder: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == folder
    except OSError:
        return False


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it said nothing"])[-1]
