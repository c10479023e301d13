"""Child processes of the supervisor: under another account, in their own session, gone when their parent is."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from signal import SIG_SETMASK, SIGKILL, Signals, pthread_sigmask

from storage.embedded.account import Account

# The child sees nothing of our environment: it holds provider keys, and PG* variables would steer the engines.
_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C"}
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


def start_child(
    argv: Sequence[str],
    account: Account | None,
    *,
    folder: Path,
    stdin: bytes,
    output: int,
    death_signal: Signals,
    keep: int,
) -> subprocess.Popen[bytes]:
    """Start `argv` in `folder` and return without waiting. The child inherits the descriptors `output` and `keep`.

    Must be called from a thread that lives as long as the engine: the parent-death signal fires when that thread
    ends. Raises OSError.
    """
    source = filled_pipe(stdin, account)
    try:
        return subprocess.Popen(
            argv,
            stdin=source,
            stdout=output,
            stderr=output,
            cwd=folder,
            env=_ENVIRONMENT,
            umask=0o077,
            pass_fds=(keep,),
            start_new_session=True,  # Ctrl-C in the terminal is for the supervisor, which then stops us in order
            preexec_fn=_settled(death_signal),  # noqa: PLW1509 - the supervisor has no threads
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=() if account else None,
        )
    finally:
        os.close(source)


def run_child(
    argv: Sequence[str],
    account: Account | None,
    *,
    stdin: bytes,
    timeout: float,
    environment: Mapping[str, str] | None = None,
    keep: Sequence[int] = (),
) -> subprocess.CompletedProcess[str]:
    """Run `argv` to its end and return its status and output. Raises OSError and subprocess.TimeoutExpired."""
    source = filled_pipe(stdin, account)
    try:
        return subprocess.run(
            argv,
            stdin=source,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
            cwd="/",
            env=_ENVIRONMENT | dict(environment or {}),
            umask=0o077,
            pass_fds=keep,
            start_new_session=True,
            preexec_fn=_settled(SIGKILL),
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=() if account else None,
        )
    finally:
        os.close(source)


def filled_pipe(content: bytes, account: Account | None) -> int:
    """Return the reading end of a pipe that holds `content` (under 64 KiB, a pipe's size) and its end of file.

    It belongs to `account`, so that the child may open it once more as /dev/stdin.
    """
    reading, writing = os.pipe()
    os.write(writing, content)
    os.close(writing)
    if account:
        os.fchown(reading, account.uid, account.gid)
    return reading


def _settled(death_signal: Signals) -> Callable[[], None]:
    """Return what settles a new child: no signal blocked, and `death_signal` when its parent dies."""
    return partial(_settle, death_signal, os.getpid())


def _settle(death_signal: Signals, parent: int) -> None:
    # A supervisor that waits for signals has them blocked; a child that inherits this cannot be stopped.
    pthread_sigmask(SIG_SETMASK, ())
    if sys.platform == "linux":  # elsewhere no such call exists, and engines outlive a killed supervisor
        _LIBC.prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0)  # after the change of account, which would clear it
        if os.getppid() != parent:  # it died before the setting took effect
            os.kill(os.getpid(), SIGKILL)
