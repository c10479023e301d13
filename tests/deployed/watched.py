"""The scene: a product under mixed traffic, Prometheus beside it, and everything known about what happened."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson
import psutil
from aiohttp import ClientSession, web

from storage.postgres import Database, Session
from storage.types import Role
from tests.deployed.prometheus import Prometheus
from tests.deployed.seen import Process, Seen
from tests.deployed.traffic import POLICY, Sender, told_stream
from tests.harness import Product, Recorder, chunk

ROUNDS = 4
HELD_OPEN = 3
PAUSE = 3.2  # seconds in which workers hand over and Prometheus scrapes what they did


@dataclass(frozen=True, slots=True)
class Scene:
    product: Product
    prometheus: Prometheus
    seen: Seen


@contextmanager
def scene(folder: Path) -> Iterator[Scene]:
    """Play the traffic; the scene stays as it was at `seen.at`, with some streams still open, while it is looked at."""
    with Recorder() as recorder:
        ending = threading.Event()
        recorder.scripts |= {"told": told_stream(0.02), "held": _held(ending)}
        upstreams = (
            f"upstreams:\n- {{name: recorder, base_url: '{recorder.url}', models: [scripted, told, held]}}\n"
            "- {name: away, base_url: 'http://127.0.0.1:9/v1', models: [away], breaker: {threshold: 1000}}\n"
        )
        with Product(folder / "data", extra=upstreams) as product:
            product.run("tenant", "create", "acme")
            key = product.run("key", "create", "acme").stdout.splitlines()[-1]
            until = datetime.now(UTC).date() + timedelta(days=3)
            product.policy(POLICY.replace("UNTIL", until.isoformat()))
            target = product.control_url.removeprefix("http://")
            with Prometheus(folder / "prometheus", target) as prometheus:
                sender = Sender(product, key)
                sender.play(1)  # every series is there before it is counted
                time.sleep(PAUSE)  # noqa: TID251 - a scrape
                try:
                    yield Scene(product, prometheus, _watch(product, prometheus, sender))
                finally:
                    ending.set()


def _watch(product: Product, prometheus: Prometheus, sender: Sender) -> Seen:
    workers = [psutil.Process(pid) for pid in product.worker_pids()]
    before = len(sender.sent)
    since, cpu = time.time(), [_cpu(worker) for worker in workers]
    sender.play(ROUNDS)
    holding = threading.Thread(target=lambda: asyncio.run(_hold(product)), daemon=True)
    holding.start()
    prometheus.wait_for(lambda: prometheus.ask("sum(tenant_active_connections)") == {(): float(HELD_OPEN)}, 20)
    time.sleep(PAUSE)  # noqa: TID251 - a scrape
    at = time.time()
    window = float(int(at - since) + 2)
    scrapes = prometheus.samples(f'up{{job="promptshield"}}[{window:.0f}s]', at)
    rows = asyncio.run(_rows(product))
    return Seen(
        sent=sender.sent[before:],
        rows=[row for row in rows if row["opened_at"].timestamp() >= since],
        all_rows=rows,
        workers=[
            Process(n, w.memory_info().rss, w.num_fds(), _cpu(w) - cpu[n]) for n, w in enumerate(workers)
        ],
        since=since,
        at=at,
        window=window,
        sampled=scrapes[-1][0] - scrapes[0][0],
        held_open=HELD_OPEN,
        journal_bytes=sum(file.stat().st_size for file in (product.data / "journal").rglob("*") if file.is_file()),
        journal_limit=1 << 30,
        revisions=_revisions(rows, len(workers)),
        exclusion_ends=_ends(),
        version=version("promptshield"),
    )  # fmt: skip


def _revisions(rows: Sequence[dict[str, Any]], workers: int) -> dict[tuple[str, str], int]:
    newest = {row["policy_id"]: row["policy_revision"] for row in sorted(rows, key=lambda row: row["opened_at"])}
    return {(policy, revision): workers for policy, revision in newest.items() if policy}


def _ends() -> float:
    day = datetime.now(UTC).date() + timedelta(days=4)
    return datetime.combine(day, datetime.min.time(), UTC).timestamp()


def _cpu(worker: psutil.Process) -> float:
    times = worker.cpu_times()
    return times.user + times.system


def _held(ending: threading.Event) -> Any:
    async def script(request: web.Request, _body: bytes) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"data: " + orjson.dumps(chunk({"content": "Wait. "})) + b"\n\n")
        await asyncio.to_thread(ending.wait)
        await response.write(b"data: " + orjson.dumps(chunk({}, "stop")) + b"\n\ndata: [DONE]\n\n")
        return response

    return script


async def _hold(product: Product) -> None:
    body = {"model": "held", "stream": True, "messages": [{"role": "user", "content": "Take your time."}]}
    headers = {"Authorization": f"Bearer {product.key}"}

    async def one(session: ClientSession) -> None:
        async with session.post(f"{product.url}/chat/completions", json=body, headers=headers) as answer:
            await answer.read()

    async with ClientSession() as session:
        await asyncio.gather(*(one(session) for _ in range(HELD_OPEN)))


async def ask(url: str, sql: str, role: Role | None = None) -> list[dict[str, Any]]:
    """Ask a database as whoever `url` logs in, or under a role of the product's own login."""
    if role is None:
        async with Session.open(url) as session, session.transaction() as connection:
            return [dict(row.items()) for row in await connection.fetch(sql)]
    database = await Database.connect(url, size=1)
    try:
        async with database.transaction(role) as connection:
            return [dict(row.items()) for row in await connection.fetch(sql)]
    finally:
        await database.close()


def urls(product: Product) -> dict[str, str]:
    """Return the addresses of the product's engines."""
    found: dict[str, str] = orjson.loads((product.data / "keys" / "runtime.json").read_bytes())
    return found


async def _rows(product: Product) -> list[dict[str, Any]]:
    sql = "SELECT d.*, t.slug AS tenant FROM public.decisions d JOIN public.tenants t ON t.id = d.tenant_id"
    return await ask(urls(product)["database"], f"{sql} ORDER BY d.opened_at", Role.READER)
