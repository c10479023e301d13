"""One engine as a running server: started on its port, watched, started again when it died, stopped."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from signal import SIGKILL

from detectors.errors import EngineError
from storage.embedded.account import Account
from storage.embedded.child import start_child
from storage.embedded.locks import take_lock
from storage.embedded.logs import bound_log, last_complaint, open_log
from storage.embedded.pace import Pace
from storage.embedded.ports import choose_port, is_free, keep_port
from storage.embedded.types import Engine, Report

_TICK_SECONDS = 0.01
_START_SECONDS = 120.0  # a recovery after a crash on a slow disk
_PATIENCE_SECONDS = 3.0  # after which one wants to know what takes so long
_RESTART_SECONDS = 2.0  # how long one `poll()` may wait for a restarted engine
_ORPHANS_SECONDS = 5.0
_PORT_TRIES = 3


class Server:
    """Runs `engine` in `room`, which holds its port, log and lock. Not for use by two threads or after a fork."""

    def __init__(
        self,
        engine: Engine,
        room: Path,
        account: Account | None,
        report: Report,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine, self._room, self._account, self._report = engine, room, account, report
        self._pace = Pace(clock)
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0
        self._answering = False
        self._log_start = 0

    def start(self) -> int:
        """Start the engine and return its port once it answers. Raises EngineError and OSError."""
        for _ in range(_PORT_TRIES):
            self._port = choose_port(self._room / "port")
            self._launch()
            if self._wait_for_answer(_START_SECONDS):
                keep_port(self._room / "port", self._port)
                return self._port
            if self._alive() or is_free(self._port):
                break  # it is not the port that somebody else took meanwhile
        raise EngineError(f"{self._engine.name} did not start: {self._complaint()} (more in {self._log})")

    def poll(self) -> bool:
        """Return True if the engine had died and, since this call, answers again; the port stays the same."""
        if self._process is None:
            return False
        if self._alive():
            bound_log(self._log)
            return not self._answering and self._wait_for_answer(0)
        if not self._pace.allows_launch():
            return False
        status = self._process.returncode
        self._report(f"{self._engine.name} ended with status {status}: starting it again (its log: {self._log})")
        try:
            self._launch()
        except (EngineError, OSError) as exc:
            self._report(f"{self._engine.name} could not be started again: {exc}")
            return False
        return self._wait_for_answer(_RESTART_SECONDS)

    def ask_to_stop(self) -> None:
        """Tell the engine to end in order; `await_end()` waits for it."""
        if self._process is not None:
            self._process.send_signal(self._engine.stop_signal)

    def await_end(self, seconds: float) -> None:
        """Wait at most `seconds` for the engine to end, then kill it."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._report(f"{self._engine.name} did not stop within {seconds:.0f} s: killing it")
            process.send_signal(SIGKILL)
            process.wait()

    @property
    def _log(self) -> Path:
        return self._room / "server.log"

    def _launch(self) -> None:
        self._pace.note_launch()
        lock = self._take_lock()
        try:
            self._engine.prepare(lock)
            self._process = self._spawn(lock)
        finally:
            os.close(lock)  # the engine and its children keep it

    def _spawn(self, lock: int) -> subprocess.Popen[bytes]:
        launch = self._engine.launch(self._port)
        output = open_log(self._log)
        self._log_start = os.fstat(output).st_size
        try:
            return start_child(
                launch.argv,
                self._account,
                folder=self._engine.data,
                stdin=launch.stdin,
                output=output,
                death_signal=self._engine.death_signal,
                keep=lock,
            )
        finally:
            os.close(output)

    def _take_lock(self) -> int:
        path = self._room / "engine.lock"
        lock = take_lock(path, _ORPHANS_SECONDS)
        if lock is None:
            name = self._engine.name
            raise EngineError(f"an earlier {name} still runs on {self._room}: end it (`lsof {path}` names it)")
        return lock

    def _wait_for_answer(self, seconds: float) -> bool:
        """Look at least once. False means that the engine died or does not answer yet."""
        begun = time.monotonic()
        waiting = 0.0
        patient = True
        self._answering = self._alive() and self._answers()
        while not self._answering and waiting < seconds and not self._died_within(_TICK_SECONDS):
            self._answering = self._answers()
            waiting = time.monotonic() - begun
            if patient and waiting > _PATIENCE_SECONDS:
                patient = False
                self._report(f"still waiting for {self._engine.name} (recovery after a crash takes a while)")
        return self._answering

    def _died_within(self, seconds: float) -> bool:
        try:
            return self._process is None or self._process.wait(seconds) is not None
        except subprocess.TimeoutExpired:
            return False

    def _answers(self) -> bool:
        return self._process is not None and self._engine.answers(self._process.pid, self._port)

    def _alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _complaint(self) -> str:
        return last_complaint(self._log, self._log_start)
