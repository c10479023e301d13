"""P3: workers killed and Postgres stopped under load; afterwards answers and rows are held against each other."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import aiohttp

from tests.harness import Product, Recorder

REQUESTS, KILLS, AT_ONCE = 5000, 6, 16


@dataclass(slots=True)
class _Load:
    """What was offered, what was answered (client id to decision id), and what broke off."""

    offered: set[str] = field(default_factory=set)
    answered: dict[str, str] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)


def one_row_each(product: Product, _recorder: Recorder) -> str:
    """No answered request without a row, no row without a request, no id twice."""
    product.policy("extends: preset/standard\n")
    run = secrets.token_hex(4)
    load, kills = asyncio.run(_attack(product, run))
    rows = _rows(product, run, len(load.answered))
    by_request = Counter(row["request_id"] for row in rows)
    by_decision = {row["id"] for row in rows}
    missing = [d for d in load.answered.values() if d not in by_decision]
    invented = [r for r in by_request if r not in load.offered]
    twice = [r for r, n in by_request.items() if n > 1]
    assert not missing, f"{len(missing)} answered without a row"
    assert not invented, f"{len(invented)} rows that nobody asked for"
    assert not twice, f"{len(twice)} requests with two rows"
    interrupted = sum(row["outcome"] == "interrupted" for row in rows)
    return (
        f"{len(load.answered)} answered, {len(load.broken)} broken off by {kills} kills and a Postgres outage, "
        f"{len(rows)} rows ({interrupted} interrupted), missing 0, invented 0, double 0"
    )


async def _attack(product: Product, run: str) -> tuple[_Load, int]:
    load, numbers = _Load(), iter(range(REQUESTS))
    async with asyncio.TaskGroup() as group:
        senders = [group.create_task(_sender(product, run, numbers, load)) for _ in range(AT_ONCE)]
        faults = group.create_task(_faults(product, load))
        await asyncio.wait(senders)
        faults.cancel()
    return load, KILLS


async def _sender(product: Product, run: str, numbers: Iterator[int], load: _Load) -> None:
    headers = {"Authorization": f"Bearer {product.key}"}
    async with aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=20)) as session:
        for number in numbers:
            name = f"{run}-{number}"
            body = {"model": "scripted", "messages": [{"role": "user", "content": f"question {number}"}]}
            load.offered.add(name)
            try:
                async with session.post(
                    f"{product.url}/chat/completions", json=body, headers={"x-request-id": name}
                ) as answer:
                    await answer.read()
                    load.answered[name] = answer.headers["x-promptshield-decision-id"]
                    assert answer.status < 600
            except (aiohttp.ClientError, TimeoutError, OSError):
                load.broken.add(name)


async def _faults(product: Product, load: _Load) -> None:
    """Kill a random worker again and again, and stop Postgres in the middle: once frozen, once killed."""
    postgres = next(child for child in product.children() if child.name() == "postgres")
    for number in range(KILLS):
        while len(load.offered) < (number + 1) * REQUESTS // (KILLS + 2):
            await asyncio.sleep(0.02)
        pids = product.worker_pids()
        _kill(secrets.choice(pids))
        if number == 1:
            postgres.suspend()
        elif number == 2:
            postgres.resume()
            postgres.kill()


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _rows(product: Product, run: str, answered: int) -> list[dict[str, object]]:
    """Return this run's rows, once they no longer grow."""
    deadline, before = time.monotonic() + 20, -1
    rows: list[dict[str, object]] = []
    while time.monotonic() < deadline:
        rows = [row for row in product.all_rows() if str(row["request_id"]).startswith(run)]
        if len(rows) >= answered and len(rows) == before:
            break
        before = len(rows)
    return rows
