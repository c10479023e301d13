"""Processes of the supervisor: forked after loading, dying with their parent, replaced when they fall."""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

import structlog
import uvloop

from detectors.errors import PromptShieldError
from proxy.runtime.signals import SIGNALS

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NAME: Final = 15
_SETTLED: Final = 10.0  # a process that lived this long (seconds) is replaced at once
_DOUBLED: Final = 7  # times that a wait is doubled, which brings it to its longest; 2.0 ** 1024 is no number
_LOG: Final = structlog.get_logger("promptshield.supervisor")

_DESCRIPTORS: Final = 65_536  # no process has more files open than that
_M_MMAP_THRESHOLD: Final = -3
_LARGE: Final = 4 << 20  # bytes: what is at least as large goes back to the system when it is free
Main = Callable[[], Coroutine[Any, Any, Any]]


def apart(module: str, name: str, *arguments: object) -> Main:
    """Return a main that only the child loads: what one process needs costs the others neither time nor memory."""

    async def main() -> object:
        return await getattr(import_module(module), name)(*arguments)

    return main


def share_memory() -> None:
    """Make what is loaded by now cheap to share with children that are forked from now on.

    A collector run would write to all of it; and what was freed while loading would stay with each of them. So would a
    table of theirs each time it is written anew: glibc keeps blocks as large as one that was freed before.
    """
    gc.collect()
    with suppress(AttributeError):  # another libc than glibc
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, _LARGE)
        libc.malloc_trim(0)
    gc.freeze()


def take_descriptors() -> None:
    """Let this process and its children have as many files open as they may: an exchange takes two connections, and
    systems begin with 1,024, which is room for half of `edge.in_flight`.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):  # a system that has its own idea of the most
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@dataclass(slots=True)
class Process:
    """One kind of child: what it runs, and the one that runs now. `failures` counts quick deaths in a row."""

    name: str
    main: Main
    pid: int = 0
    started: float = 0.0
    failures: int = 0
    again_at: float = 0.0

    def start(self) -> None:
        """Fork. The parent returns at once; the child never returns."""
        self.started = time.monotonic()
        parent = os.getpid()
        pid = os.fork()
        if pid:
            self.pid = pid
            return
        _become_child(parent, self.name, self.main)

    def note_exit(self, status: int) -> None:
        """Remember that the process ended, and when it may be started again."""
        now = time.monotonic()
        lived = now - self.started
        self.pid, self.failures = 0, 0 if lived > _SETTLED else self.failures + 1
        self.again_at = now + (min(0.1 * 2 ** min(self.failures, _DOUBLED), 10.0) if self.failures > 1 else 0.0)
        code = os.waitstatus_to_exitcode(status)
        if code:
            _LOG.warning("process ended", process=self.name, code=code, lived=round(lived, 1))

    def reap(self) -> bool:
        """Return whether the process has just ended."""
        if not self.pid:
            return False
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if not pid:
            return False
        self.note_exit(status)
        return True

    def signal(self, number: signal.Signals) -> None:
        if self.pid:
            os.kill(self.pid, number)


def take_name(name: str) -> None:
    """Be called `ps-<name>` in the system's list of processes (15 characters at most), where the system can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_NAME, f"ps-{name}".replace(" ", "-").encode()[:15], 0, 0, 0)


def die_with_parent(parent: int, number: signal.Signals) -> None:
    """Ask Linux to signal this process when its parent ends; elsewhere orphans are left to notice by themselves."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:  # it ended before we asked
        os._exit(1)


def _become_child(parent: int, name: str, main: Main) -> None:
    code = 1
    try:
        die_with_parent(parent, signal.SIGTERM)
        take_name(name)
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        # Ctrl-C reaches every process of the terminal; who stops when is the supervisor's to say, by SIGTERM.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        run_loop(main())
        code = 0
    except PromptShieldError as exc:
        _LOG.error("process cannot run", process=name, problem=str(exc))
    except BaseException as exc:  # noqa: BLE001 - a forked child must not unwind into its parent's stack
        cause = _first_of(exc)
        _LOG.error("process failed", process=name, error=type(cause).__name__, place=_place(cause))
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):  # full, or nobody reads it any more
                stream.flush()
        os._exit(code)


def run_loop(main: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine to its end on a fresh event loop."""
    return uvloop.run(main)


def _first_of(exc: BaseException) -> BaseException:
    """Return what went wrong first in a group of tasks: the group itself says nothing."""
    while isinstance(exc, BaseExceptionGroup):
        exc = exc.exceptions[0]
    return exc


def _place(exc: BaseException) -> str:
    frame = exc.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return "" if frame is None else f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}"
