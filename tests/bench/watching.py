"""`make bench-watching`: what it costs to be watched; figures and bars.

Counting is CPU in this process, of exchanges with ten detectors' runs and an answer's tokens, the hand-over to the
control plane once a second included. A scrape is CPU of the control plane's own objects, fed with what its workers
would have sent; tenants beyond `metrics.tenants` make it no longer. Then two products answer the same short requests
in turn: one with the default log, spans to a collector at the default share and a scrape each second, the other with
none of it. What no setting switches off, counting, is added to their difference.
"""

from __future__ import annotations

import contextlib
import statistics
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Final

from detectors.types import Coverage, DetectorRun, RunStatus, Stage
from policies.types import ActionName, Effect, Verdict
from proxy.control.exposition import Exposition
from proxy.control.sums import Sums
from proxy.telemetry.generation import Generation
from proxy.telemetry.metrics import Finished, WorkerMetrics
from tests.bench.__main__ import POLICY, cpu_of, one_run
from tests.bench.targets import upstream
from tests.harness import Product

COUNTING: Final = 5.0  # us of CPU a request
SCRAPES: Final = {50: 100.0, 200: 1000.0, 10_000: 1000.0}  # tenants: ms of CPU
LABELLED: Final = 200  # of more tenants, how many have a label of their own
SHARE: Final = 0.05  # of a request's CPU, for all of it
ROUNDS: Final = 15
TURNS: Final = 40  # of each product
REQUESTS: Final = 200  # a turn
A_SECOND: Final = 500  # requests of a worker between two hand-overs
_DETECTORS: Final = tuple(f"detector_{number}" for number in range(10))
_RUNS: Final = tuple(
    DetectorRun(name, Stage.PATTERN, required=True, status=RunStatus.OK, hits=0, confidence=0.0, seconds=0.0004)
    for name in _DETECTORS
)
_VERDICT: Final = Verdict(ActionName.ALLOW, ActionName.ALLOW, Effect(), (), Coverage(scanned=2), "acme", "r1", "r2")
_ANSWER: Final = Generation(("chat", "openai", "gpt-4o"), 0.8, 0.0, 200, 80)


def _over(tenant: str) -> Finished:
    return Finished(tenant, "answered", "allow", _RUNS, (_VERDICT, _VERDICT), 0.001, generation=_ANSWER)


def counting() -> float:
    """Return the CPU (us) of counting one exchange in a worker, best of several rounds."""
    metrics = WorkerMetrics(0)

    def one_round() -> float:
        began = time.thread_time()
        for _ in range(10):
            for _ in range(A_SECOND):
                metrics.enter("acme")
                metrics.leave("acme")
                metrics.finish(_over("acme"))
            metrics.take()
        return (time.thread_time() - began) / (10 * A_SECOND) * 1e6

    return min(one_round() for _ in range(ROUNDS))


def scrape(tenants: int) -> float:
    """Return the CPU (ms) of one scrape with so many tenants in use, best of several."""
    metrics, sums = WorkerMetrics(0), Sums(min(tenants, LABELLED))
    for number in range(tenants):
        metrics.finish(_over(f"tenant-{number}"))
    for datagram in metrics.take():
        sums.take_in(datagram)
    exposition = Exposition(sums)

    def once() -> float:
        began = time.thread_time()
        exposition.text()
        return (time.thread_time() - began) * 1e3

    return min(once() for _ in range(ROUNDS))


@contextlib.contextmanager
def _collector() -> Iterator[str]:
    """Take spans and answer; yield the address."""

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1/traces"
    server.shutdown()
    server.server_close()


@contextlib.contextmanager
def _scraped(url: str) -> Iterator[None]:
    over = threading.Event()

    def look() -> None:
        while not over.wait(1):
            with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:  # noqa: S310 - loopback
                answer.read()

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    yield
    over.set()
    thread.join()


def on_and_off() -> tuple[list[float], list[float]]:
    """Return the CPU (ms) of a request with everything on and with it off, of each turn."""
    with (
        tempfile.TemporaryDirectory(prefix="ps-watching-", ignore_cleanup_errors=True) as name,
        upstream() as direct,
        _collector() as collector,
    ):
        folder = Path(name)
        folder.chmod(0o755)
        settings = {"on": f"tracing: {{endpoint: '{collector}'}}\n", "off": "log: {level: error}\n"}
        with contextlib.ExitStack() as stack:
            products = {
                way: stack.enter_context(Product(folder / way, upstream=direct, workers=1, extra=extra))
                for way, extra in settings.items()
            }
            for product in products.values():
                product.policy(POLICY)
            stack.enter_context(_scraped(products["on"].control_url))
            clocks = {way: cpu_of(product.worker_pids()[-1]) for way, product in products.items()}
            seen: dict[str, list[float]] = {way: [] for way in products}
            for number in range(TURNS + 1):
                for way in sorted(products, reverse=bool(number % 2)):
                    product = products[way]
                    cpu, _ = one_run(product.url, product.key, "short", REQUESTS, number * REQUESTS, clocks[way])
                    if number:  # the first turn only warms up
                        seen[way].append(cpu)
    return seen["on"], seen["off"]


def _told(value: float, bar: float) -> str:
    return f"bar {bar:g} {'held' if value <= bar else 'MISSED'}"


def main() -> int:
    """Return 0 if all bars are held."""
    each = counting()
    print(f"counting a request: {each:.1f} us of CPU ({_told(each, COUNTING)})", flush=True)
    held = each <= COUNTING
    for tenants, bar in SCRAPES.items():
        took = scrape(tenants)
        print(f"a scrape with {tenants} tenants: {took:.0f} ms of CPU ({_told(took, bar)})", flush=True)
        held = held and took <= bar
    on, off = on_and_off()
    watched, alone = statistics.median(on), statistics.median(off)
    more = watched / alone - 1 + each / alone / 1000
    print(
        f"a short request: {watched:.3f} ms of CPU watched ({min(on):.3f} to {max(on):.3f}), {alone:.3f} not "
        f"({min(off):.3f} to {max(off):.3f}): {more:+.1%} with counting ({_told(more, SHARE)})"
    )
    return 0 if held and more <= SHARE else 1


if __name__ == "__main__":
    sys.exit(main())
