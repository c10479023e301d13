"""`make soak`: a million requests through one worker, whose memory, descriptors and tasks then are what they were.

Growth of memory is the slope of a straight line through what was measured after the first fifth, which fills caches.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
from aiohttp import ClientSession, ClientTimeout, TCPConnector

from tests.harness import Product, Received, Recorder

AT_ONCE: Final = 16
SAMPLES: Final = 50
MOST_GROWTH: Final = 1.0  # MB for each 100,000 requests
MOST_CHANGE: Final = 8  # descriptors, tasks
WARMING: Final = 0.2  # of the requests
TRIES: Final = 3  # where an answer asks for another, as the official SDKs


@dataclass(frozen=True, slots=True)
class Sample:
    """How a worker stands after so many requests; `memory` in MB."""

    requests: int
    memory: float
    files: int
    tasks: float


async def soak(product: Product, requests: int) -> list[Sample]:
    """Send the requests in equal parts and look at the worker after each."""
    (pid,) = product.worker_pids()
    worker, samples = psutil.Process(pid), []
    headers = {"Authorization": f"Bearer {product.key}"}
    async with ClientSession(timeout=ClientTimeout(60), connector=TCPConnector(limit=AT_ONCE), headers=headers) as own:
        part = max(1, requests // SAMPLES)
        for done in range(part, requests + 1, part):
            numbers = iter(range(done - part, done))
            await asyncio.gather(*(_send(own, product, numbers) for _ in range(AT_ONCE)))
            await asyncio.sleep(1.2)  # idle, and counted
            tasks = await _tasks(own, product)
            samples.append(Sample(done, worker.memory_info().rss / 1e6, worker.num_fds(), tasks))
            s = samples[-1]
            print(f"{done:>9} requests  {s.memory:7.1f} MB  {s.files:3} descriptors  {tasks:3.0f} tasks", flush=True)
    return samples


async def _send(session: ClientSession, product: Product, numbers: object) -> None:
    assert hasattr(numbers, "__next__")
    while True:
        try:
            number = next(numbers)
        except StopIteration:
            return
        said = f"What is {number} plus one, and who wants to know?"
        body = {"model": "scripted", "messages": [{"role": "user", "content": said}]}
        await _ask(session, f"{product.url}/chat/completions", body)


async def _ask(session: ClientSession, url: str, body: object, tries: int = TRIES) -> None:
    async with session.post(url, json=body) as answer:
        said, wait = await answer.text(), answer.headers.get("retry-after")
    if wait is None or tries == 1:
        assert answer.status == 200, f"{answer.status}: {said}"
        return
    await asyncio.sleep(float(wait))
    await _ask(session, url, body, tries - 1)


async def _tasks(session: ClientSession, product: Product) -> float:
    async with session.get(f"{product.control_url}/metrics") as answer:
        found = re.search(r"^promptshield_worker_tasks\{[^}]*\} (\S+)", await answer.text(), re.MULTILINE)
    assert found is not None
    return float(found[1])


def growth(samples: Sequence[Sample]) -> float:
    """Return MB for each 100,000 requests: the slope of least squares."""
    mean_x = sum(s.requests for s in samples) / len(samples)
    mean_y = sum(s.memory for s in samples) / len(samples)
    across = sum((s.requests - mean_x) ** 2 for s in samples)
    return sum((s.requests - mean_x) * (s.memory - mean_y) for s in samples) / across * 100_000


def main() -> int:
    """Return 0 if nothing grew beyond its bound."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=1_000_000)
    wanted = parser.parse_args().requests
    with tempfile.TemporaryDirectory(prefix="ps-soak-", ignore_cleanup_errors=True) as name, Recorder() as recorder:
        recorder.received = _Forgetful()
        folder = Path(name)
        folder.chmod(0o755)  # the engines' account must be able to pass
        with Product(folder / "data", upstream=recorder.url, workers=1) as product:
            product.policy("extends: preset/standard\n")
            started = time.monotonic()
            samples = asyncio.run(soak(product, wanted))
    settled = [sample for sample in samples if sample.requests > wanted * WARMING]
    slope = growth(settled)
    files, tasks = (max(v) - min(v) for v in ([s.files for s in settled], [s.tasks for s in settled]))
    took = time.monotonic() - started
    print(f"{wanted} requests in {took:.0f} s: {slope:+.2f} MB for each 100,000 (bar {MOST_GROWTH}),")
    print(f"descriptors within {files}, tasks within {tasks:.0f} (bar {MOST_CHANGE} each)")
    return 0 if slope < MOST_GROWTH and files <= MOST_CHANGE and tasks <= MOST_CHANGE else 1


class _Forgetful(list[Received]):
    """What reached the upstream, which nobody asks about here."""

    def append(self, _received: Received, /) -> None:
        return


if __name__ == "__main__":
    sys.exit(main())
