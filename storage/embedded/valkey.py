"""The embedded Valkey: its configuration, and how one asks whether it answers."""

from __future__ import annotations

import socket
from pathlib import Path
from signal import SIGTERM, Signals

from storage.embedded.account import Account
from storage.embedded.folders import make_private
from storage.embedded.types import Launch

_ANSWER_SECONDS = 1.0

# noeviction: what evicts under pressure forgets budgets of quiet tenants, which then may spend them twice. A refused
# write is only a cache miss or a limit that each worker keeps by its share.
_CONFIGURATION = """\
bind 127.0.0.1
port {port}
requirepass {password}
daemonize no
save ""
appendonly yes
appendfsync everysec
maxmemory 256mb
maxmemory-policy noeviction
"""


class EmbeddedValkey:
    """One Valkey that keeps its append-only file in `data`, which is also the folder it runs in."""

    name = "valkey"
    stop_signal: Signals = SIGTERM  # also writes out the append-only file, so nothing is lost when the parent dies
    death_signal: Signals = SIGTERM

    def __init__(self, program: Path, data: Path, account: Account | None, password: str) -> None:
        self.data = data
        self._program, self._account, self._password = program, account, password

    def prepare(self, lock: int) -> None:
        make_private(self.data, self._account)

    def launch(self, port: int) -> Launch:
        """Return a launch whose configuration goes in by standard input: the password is on no disk, in no argument."""
        configuration = _CONFIGURATION.format(port=port, password=self._password)
        return Launch((str(self._program), "-"), configuration.encode())

    def answers(self, pid: int, port: int) -> bool:
        request = b"AUTH %b\r\nPING\r\n" % self._password.encode()
        try:
            with socket.create_connection(("127.0.0.1", port), _ANSWER_SECONDS) as connection:
                connection.sendall(request)
                with connection.makefile("rb") as answer:
                    return (answer.readline(), answer.readline()) == (b"+OK\r\n", b"+PONG\r\n")
        except OSError:
            return False

    def url(self, port: int) -> str:
        return f"redis://:{self._password}@127.0.0.1:{port}/0"
