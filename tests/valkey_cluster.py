"""A Valkey cluster of three nodes, out of the product's own binaries."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final

from redis import Redis
from redis.exceptions import RedisError

from storage.embedded.binaries import installed_binaries

NODES: Final = 3
_SLOTS: Final = 16_384
_BUS: Final = 10_000  # above a node's port is that of its cluster bus
_PATIENCE: Final = 20.0  # seconds


@contextmanager
def valkey_cluster(folder: Path) -> Iterator[str]:
    """Run a cluster that keeps nothing; yield a URL that names one of its nodes."""
    ports = _ports(NODES)
    processes = [_start(folder / f"valkey-{port}", port) for port in ports]
    try:
        _meet(ports)
        yield f"redis+cluster://127.0.0.1:{ports[0]}"
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _ports(count: int) -> list[int]:
    """Free ports whose bus has room."""
    found: list[int] = []
    while len(found) < count:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        if port + _BUS < 1 << 16 and port not in found:
            found.append(port)
    return found


def _start(folder: Path, port: int) -> subprocess.Popen[bytes]:
    folder.mkdir()
    options = ["--cluster-enabled", "yes", "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    return subprocess.Popen(
        [installed_binaries().valkey_server, "--port", str(port), *options], stdout=subprocess.DEVNULL
    )


def _meet(ports: Sequence[int]) -> None:
    deadline = time.monotonic() + _PATIENCE
    nodes = [Redis(host="127.0.0.1", port=port) for port in ports]
    for number, node in enumerate(nodes):
        _until(deadline, node.ping)
        first, last = _SLOTS * number // NODES, _SLOTS * (number + 1) // NODES - 1
        _cluster(node, "ADDSLOTSRANGE", first, last)
        _cluster(node, "MEET", "127.0.0.1", ports[0])
    for node in nodes:
        _until(deadline, partial(_is_whole, node))
        node.close()


def _until(deadline: float, holds: Callable[[], object]) -> None:
    while time.monotonic() < deadline:
        with suppress(OSError, RedisError):
            if holds():
                return
        time.sleep(0.05)  # noqa: TID251 - servers of their own
    raise AssertionError("the Valkey cluster did not come up")


def _is_whole(node: Redis) -> bool:
    return b"cluster_state:ok" in _cluster(node, "INFO")


def _cluster(node: Redis, *command: object) -> bytes:
    reply: bytes = node.execute_command("CLUSTER", *command)  # type: ignore[no-untyped-call]
    return reply
