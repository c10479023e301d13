"""Backups that were restored: to the end, and to a moment before somebody's mistake."""

from __future__ import annotations

import asyncio
import os
import pwd
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from storage.embedded.binaries import installed_binaries
from tests.deployed.prometheus import free_port
from tests.deployed.watched import ask

BACKUP = Path(__file__).parents[2] / "deploy" / "backup"
USER = "nobody" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name


def run(*command: object, **environment: str) -> str:
    who = {"user": USER} if os.getuid() == 0 else {}
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False, cwd="/",
        env={**os.environ, **environment}, **who,
    )  # type: ignore[call-overload]  # fmt: skip
    assert done.returncode == 0, done.stderr
    said: str = done.stdout
    return said


@contextmanager
def server(binaries: Path, folder: Path, *options: str) -> Iterator[str]:
    port = free_port()
    words = [f"-c {option}" for option in (*options, f"port={port}", "listen_addresses=127.0.0.1",
                                           "unix_socket_directories=")]  # fmt: skip
    control = (binaries / "pg_ctl", "-D", folder, "-w", "-l", folder.parent / f"{folder.name}.log")
    run(*control, "-o", " ".join(words), "start")
    try:
        yield f"postgresql://owner@127.0.0.1:{port}/postgres"
    finally:
        run(*control, "-m", "fast", "stop")


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ps-backup-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        for path in (folder, folder / "wal", folder / "house"):
            path.mkdir(exist_ok=True)
            path.chmod(0o777)
        for name_ in ("keys", "checkpoints", "policies"):
            (folder / "house" / name_).mkdir()
        (folder / "house" / "instance").write_text("abcd")
        yield folder


@pytest.mark.parametrize("to_a_moment", [False, True])
@pytest.mark.parametrize("base", ["/", ""], ids=["by its whole path", "by its path from here"])
def test_what_was_backed_up_comes_back(folder: Path, base: str, *, to_a_moment: bool) -> None:
    binaries = installed_binaries().postgres_program("initdb").parent
    run(binaries / "initdb", "-D", folder / "first", "-U", "owner", "-A", "trust", "--no-sync")
    archive = f"archive_command = '{BACKUP}/archive-wal.sh {folder}/wal %p %f'"
    with (folder / "first" / "postgresql.conf").open("a") as config:
        config.write(f"wal_level = replica\narchive_mode = on\n{archive}\n")
    with server(binaries, folder / "first") as url:
        asyncio.run(ask(url, "CREATE TABLE kept (n int)"))
        asyncio.run(ask(url, "INSERT INTO kept VALUES (1)"))
        path = f"{binaries}:{os.environ['PATH']}"
        house = {"BACKUP_URL": url, "PROMPTSHIELD_DATA": str(folder / "house"), "PATH": path}
        backup = run(BACKUP / "backup.sh", folder / "backups", **house).splitlines()[-1]
        asyncio.run(ask(url, "INSERT INTO kept VALUES (2)"))
        time.sleep(0.1)  # noqa: TID251 - between two moments
        moment = datetime.now(UTC).isoformat(sep=" ")
        time.sleep(0.1)  # noqa: TID251
        asyncio.run(ask(url, "INSERT INTO kept VALUES (3)"))
        asyncio.run(ask(url, "SELECT pg_switch_wal()"))

    wal = base + str(folder / "wal").removeprefix("/")  # scripts run in /
    run(BACKUP / "restore.sh", backup, folder / "second", wal, *([moment] if to_a_moment else []))
    with server(binaries, folder / "second") as url:
        rows = asyncio.run(ask(url, "SELECT n FROM kept ORDER BY n"))
    assert [row["n"] for row in rows] == ([1, 2] if to_a_moment else [1, 2, 3])


def test_a_segment_that_comes_again_is_done_and_another_of_its_name_is_not(tmp_path: Path) -> None:
    (tmp_path / "wal").mkdir()
    segment = tmp_path / "segment"

    def archive(content: str) -> int:
        segment.write_text(content)
        command = [str(BACKUP / "archive-wal.sh"), str(tmp_path / "wal"), str(segment), "0001"]
        return subprocess.run(command, check=False, capture_output=True).returncode

    assert [archive("one"), archive("one"), archive("other") != 0] == [0, 0, True]
    assert (tmp_path / "wal" / "0001").read_text() == "one"


def test_a_segments_name_is_on_the_disk_before_postgres_forgets_its_own(tmp_path: Path) -> None:
    """Also one that an earlier try, which broke off, gave its name: that try may not have come as far."""
    (tmp_path / "wal").mkdir()
    (tmp_path / "segment").write_text("one")
    noted = tmp_path / "sync"
    noted.write_text(f'#!/bin/sh\n(ls {tmp_path}/wal; echo "sync $1") >> {tmp_path}/noted\n')
    noted.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    for _ in range(2):
        command = [str(BACKUP / "archive-wal.sh"), str(tmp_path / "wal"), str(tmp_path / "segment"), "0001"]
        subprocess.run(command, check=True, env={**os.environ, "PATH": path})
        assert (tmp_path / "noted").read_text().splitlines()[-2:] == ["0001", f"sync {tmp_path}/wal"]


def test_an_installation_that_has_signed_nothing_yet_can_be_backed_up(tmp_path: Path) -> None:
    keys = tmp_path / "house" / "keys"
    keys.mkdir(parents=True)
    (keys / "pepper").write_text("x" * 32)
    server = tmp_path / "pg_basebackup"
    server.write_text('#!/bin/sh\nmkdir "$4" && touch "$4/base.tar.gz"\n')
    server.chmod(0o755)
    environment = {
        **os.environ,
        "BACKUP_URL": "postgresql://",
        "PROMPTSHIELD_DATA": str(keys.parent),
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
    }

    command = [BACKUP / "backup.sh", tmp_path / "backups"]
    backup = Path(subprocess.check_output(command, env=environment, text=True).strip())

    assert (backup / "SHA256SUMS").exists()
    with tarfile.open(backup / "keys.tar.gz") as kept:
        assert "keys/pepper" in kept.getnames()
