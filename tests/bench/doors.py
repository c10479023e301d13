"""`make bench-doors`: what the other ways in cost, each beside what it stands for, interleaved in one run.

Egress: what it adds to a direct call, beside what a mitmproxy without us adds. Hooks: a hook's call beside the proxy's
own way with the same text. Whole exchanges on kept connections, medians of wall time, as ratios of one run.
"""

from __future__ import annotations

import base64
import http.client
import os
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import orjson

from tests.harness import PROMPTSHIELD, Product, Recorder

MITMDUMP: Final = Path(__file__).parents[2] / ".venv-egress" / "bin" / "mitmdump"
ROUNDS: Final = 300
HOST: Final = "api.openai.com"
BARS: Final = {"egress": 1.3, "hook": 1.5}
Ask = Callable[[bytes], None]


def main() -> int:
    """Print one line for each door; fail beyond its bar."""
    with Recorder() as provider, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)  # the engines' account must be able to pass
        ours, bare = free_port(), free_port()
        extra = f"egress: {{port: {ours}, hosts: {{{HOST}: {{base_url: '{provider.url}'}}}}}}\n"
        with Product(folder / "data", upstream=provider.url, workers=1, extra=extra) as product:
            product.policy("extends: preset/standard\nlimits: {requests: 1000000/min}\n")
            plane = product.url.removesuffix("/v1")
            with running(egress_command(product, plane), ours), running(bare_command(folder, provider), bare):
                asks = {
                    "direct": plain(provider.url, "/v1/chat/completions"),
                    "bare": tunnelled(bare, folder / "bare" / "mitmproxy-ca-cert.pem"),
                    "egress": tunnelled(ours, product.data / "egress" / "mitmproxy-ca-cert.pem", product.key),
                    "proxy": plain(product.url, "/v1/chat/completions", product.key),
                    "hook": plain(product.url, "/hooks/nemo/v1/checks", product.key),
                }
                took = measured(asks)
    added = {door: took[door] - took["direct"] for door in ("bare", "egress")}
    ratios = {"egress": added["egress"] / added["bare"], "hook": took["hook"] / took["proxy"]}
    print(f"direct {took['direct'] * 1000:.2f} ms; added by mitmproxy alone {added['bare'] * 1000:.2f} ms")
    print(f"egress adds {added['egress'] * 1000:.2f} ms, {ratios['egress']:.2f}x (bar {BARS['egress']})")
    print(f"the proxy's own way {took['proxy'] * 1000:.2f} ms")
    print(f"a hook's call {took['hook'] * 1000:.2f} ms, {ratios['hook']:.2f}x (bar {BARS['hook']})")
    return 0 if all(ratios[door] <= bar for door, bar in BARS.items()) else 1


def measured(asks: dict[str, Ask]) -> dict[str, float]:
    """Return the median seconds of each, every body new, one after the other in turn."""
    took: dict[str, list[float]] = {name: [] for name in asks}
    for number in range(-20, ROUNDS):
        for name, ask in asks.items():
            text = f"What is the capital of the country with the number {number} in our {name} list? " * 2
            body = orjson.dumps({"model": "scripted", "messages": [{"role": "user", "content": text}]})
            started = time.perf_counter()
            ask(body)
            if number >= 0:
                took[name].append(time.perf_counter() - started)
    return {name: statistics.median(times) for name, times in took.items()}


def plain(url: str, path: str, key: str = "none") -> Ask:
    connection = http.client.HTTPConnection(url.split("/")[2], timeout=20)
    return lambda body: exchange(connection, path, body, key)


def tunnelled(port: int, authority: Path, key: str = "none") -> Ask:
    context = ssl.create_default_context(cafile=str(authority))
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=20)
    credentials = base64.b64encode(f"{key}:".encode()).decode()
    connection.set_tunnel(HOST, 443, {"Proxy-Authorization": f"Basic {credentials}"})
    return lambda body: exchange(connection, "/v1/chat/completions", body, "sk-their-own")


def exchange(connection: http.client.HTTPConnection, path: str, body: bytes, key: str) -> None:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    connection.request("POST", path, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 200:
        raise RuntimeError(content.decode())


def egress_command(product: Product, plane: str) -> list[str]:
    where = [
        "--config",
        str(product.config),
        "--data",
        str(product.data),
        "--proxy",
        plane,
        "--mitmdump",
        str(MITMDUMP),
    ]
    return [PROMPTSHIELD, "egress", *where]


def bare_command(folder: Path, provider: Recorder) -> list[str]:
    """Return a mitmproxy that knows nothing of us and reaches the same provider."""
    options = {
        "confdir": folder / "bare",
        "connection_strategy": "lazy",
        "upstream_cert": "false",
        "flow_detail": 0,
        "termlog_verbosity": "error",
        "map_remote": f"|https://{HOST}/v1|{provider.url}",
    }
    return [str(MITMDUMP), *(part for name, value in options.items() for part in ("--set", f"{name}={value}"))]


@contextmanager
def running(command: list[str], port: int) -> Iterator[None]:
    listen = [] if command[0] == PROMPTSHIELD else ["--listen-host", "127.0.0.1", "--listen-port", str(port)]
    environment = {**os.environ, "PROMPTSHIELD_DATA": ""}
    process = subprocess.Popen(
        [*command, *listen], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
    )
    try:
        deadline = time.monotonic() + 40
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)  # noqa: TID251 - another program's start
        yield
    finally:
        process.terminate()
        process.wait(20)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


if __name__ == "__main__":
    sys.exit(main())
