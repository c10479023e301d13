"""The two embedded engines together: one data folder, one supervisor, one start and one stop."""

from __future__ import annotations

import os
from collections.abc import Collection
from contextlib import ExitStack
from pathlib import Path

from detectors.errors import EngineError
from storage.embedded.folders import make_folder
from storage.embedded.locks import claim_data, release_data
from storage.embedded.postgres import EmbeddedPostgres
from storage.embedded.quarters import SYSTEM_FOLDER, Quarters, find_quarters
from storage.embedded.server import Server
from storage.embedded.types import ENGINES, EnginePasswords, EngineUrls, Report
from storage.embedded.valkey import EmbeddedValkey

_STOP_SECONDS = 10.0


def _silent(_: str) -> None:
    """Report nothing."""


class EmbeddedEngines:
    """A private Postgres and Valkey on loopback, below `data` or, where root's engines cannot go there, below `system`.

    `wanted` names the engines to run. `report` receives one-line progress messages, without secrets. Use it from the
    main thread of the process that started it; in a forked child `stop()` does nothing.
    """

    def __init__(
        self,
        data: Path,
        passwords: EnginePasswords,
        report: Report = _silent,
        *,
        wanted: Collection[str] = ENGINES,
        system: Path = SYSTEM_FOLDER,
    ) -> None:
        self._data, self._passwords, self._report = data, passwords, report
        self._wanted, self._system = wanted, system
        self._servers: dict[str, Server] = {}
        self._running = ExitStack()
        self._supervisor = 0

    def start(self) -> EngineUrls:
        """Start the wanted engines and return their addresses once they answer.

        The first start creates the database and takes seconds. Raises EngineError with one line that says what to
        do; then nothing runs.
        """
        try:
            with ExitStack() as started:
                urls = self._start(started)
                self._running = started.pop_all()
                return urls
        except PermissionError as exc:
            problem = f"{exc.filename} belongs to another account: start as that one, or choose another --data"
            raise EngineError(problem) from exc
        except OSError as exc:
            where = f"{exc.filename}: " if exc.filename else ""
            raise EngineError(f"the embedded engines cannot start: {where}{exc.strerror or exc}") from exc

    def poll(self) -> tuple[str, ...]:
        """Return the names of the engines that had died and answer again; call it about every second.

        A dead engine is started at once, one that keeps dying at growing intervals. Waits for nothing but a restart,
        and for that at most seconds.
        """
        return tuple(name for name, server in self._servers.items() if server.poll())

    def stop(self) -> None:
        """End both engines in order, with all their data; after ten seconds by force."""
        if os.getpid() == self._supervisor:  # a worker may unwind through its supervisor's `finally`
            self._running.close()

    def _start(self, started: ExitStack) -> EngineUrls:
        self._data.parent.mkdir(parents=True, exist_ok=True)
        make_folder(self._data, 0o711 if os.geteuid() == 0 else 0o700)  # root's engines must be able to pass through
        data = self._data.resolve()
        lock = claim_data(data)
        started.callback(release_data, lock)
        self._supervisor = os.getpid()
        quarters = find_quarters(data, self._system, self._report)
        started.callback(self._stop_servers)
        database_url, owner_url = self._start_postgres(quarters) if "postgres" in self._wanted else ("", "")
        redis_url = self._start_valkey(quarters) if "valkey" in self._wanted else ""
        return EngineUrls(database_url, owner_url, redis_url)

    def _start_postgres(self, quarters: Quarters) -> tuple[str, str]:
        room = quarters.room("postgres")
        engine = EmbeddedPostgres(quarters.binaries, room / "data", quarters.account, self._passwords, self._report)
        server = self._servers["postgres"] = Server(engine, room, quarters.account, self._report)
        port = server.start()
        engine.settle(port)
        return engine.login_url(port), engine.owner_url(port)

    def _start_valkey(self, quarters: Quarters) -> str:
        room = quarters.room("valkey")
        engine = EmbeddedValkey(
            quarters.binaries.valkey_server, room / "data", quarters.account, self._passwords.valkey
        )
        server = self._servers["valkey"] = Server(engine, room, quarters.account, self._report)
        return engine.url(server.start())

    def _stop_servers(self) -> None:
        for server in self._servers.values():
            server.ask_to_stop()
        for server in self._servers.values():
            server.await_end(_STOP_SECONDS)
        self._servers.clear()
