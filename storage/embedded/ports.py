"""An engine's port: free when first chosen, kept in its folder, so that addresses survive a restart."""

from __future__ import annotations

import secrets
import socket
from pathlib import Path

from detectors.errors import EngineError

# Below the ports that systems hand out to outgoing connections: no client takes ours while an engine restarts.
_LOWEST, _COUNT = 20_000, 12_000
_TRIES = 100


def is_free(port: int) -> bool:
    """Say whether 127.0.0.1:`port` can be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def choose_port(kept: Path) -> int:
    """Return the port written in the file `kept` if that is one and is free, else another free one.

    Raises EngineError.
    """
    port = _read(kept)
    for _ in range(_TRIES):
        if port is not None and is_free(port):
            return port
        port = _LOWEST + secrets.randbelow(_COUNT)
    raise EngineError("no free port was found on 127.0.0.1: set DATABASE_URL and REDIS_URL")


def keep_port(kept: Path, port: int) -> None:
    """Write `port` for the next start. Raises OSError."""
    if _read(kept) != port:
        kept.write_text(f"{port}\n", encoding="utf-8")


def _read(kept: Path) -> int | None:
    try:
        port = int(kept.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return port if 1024 <= port <= 65535 else None
