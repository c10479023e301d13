"""The running product, and a real mitmproxy in front of it, for apps that know only HTTPS_PROXY."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.harness import PROMPTSHIELD, Product, Recorder

MITMDUMP = Path(__file__).parents[2] / ".venv-egress" / "bin" / "mitmdump"
collect_ignore_glob = [] if MITMDUMP.exists() else ["test_*.py"]


@dataclass(frozen=True, slots=True)
class Way:
    """The egress proxy's port, its CA, and what an app has to set."""

    port: int
    authority: Path
    key: str
    log: Path

    def environment(self, key: str | None = None) -> Mapping[str, str]:
        """Return the only settings of an app: the proxy with its key, and the CA."""
        proxy = f"http://{self.key if key is None else key}:@127.0.0.1:{self.port}"
        kept = {name: value for name, value in os.environ.items() if not name.lower().endswith(("_proxy", "_api_key"))}
        return {**kept, "HTTPS_PROXY": proxy, "HTTP_PROXY": proxy, "SSL_CERT_FILE": str(self.authority)}


@pytest.fixture(scope="session")
def provider() -> Iterator[Recorder]:
    """What stands for api.openai.com."""
    with Recorder() as recorder:
        yield recorder


@pytest.fixture
def recorder(provider: Recorder) -> Recorder:
    provider.received.clear()
    provider.scripts.clear()
    return provider


@pytest.fixture(scope="session")
def product(provider: Recorder) -> Iterator[Product]:
    with tempfile.TemporaryDirectory(prefix="ps-egress-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)  # the engines' account must be able to pass
        port = free_port()
        root = provider.url.removesuffix("/v1")
        hosts = f"{{api.openai.com: {{base_url: '{provider.url}'}}, llm.root.example: {{base_url: '{root}'}}}}"
        extra = f"egress: {{port: {port}, hosts: {hosts}, allow_networks: [127.0.0.1/32, '::1/128']}}\n"
        with Product(Path(name) / "data", workers=1, extra=extra) as product:
            yield product


@pytest.fixture(scope="session")
def way(product: Product) -> Iterator[Way]:
    port = int(product.extra.split("port: ")[1].split(",")[0])
    authority, log = product.data / "egress" / "mitmproxy-ca-cert.pem", product.data / "egress.log"
    plane = product.url.removesuffix("/v1")
    command = [PROMPTSHIELD, "egress", "--config", str(product.config), "--data", str(product.data), "--proxy", plane]
    with log.open("w") as opened:
        process = subprocess.Popen(
            [*command, "--mitmdump", str(MITMDUMP)], stdout=opened, stderr=opened, env=product.environ()
        )
    try:
        wait_for(port, process)
        yield Way(port, authority, product.key, log)
    finally:
        process.terminate()
        process.wait(20)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return once somebody listens there."""
    deadline = time.monotonic() + 30
    while True:
        assert process.poll() is None
        assert time.monotonic() < deadline
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)  # noqa: TID251 - another program's start
        else:
            return
