"""The running product for tests, proofs and benchmarks: a real server process, and an upstream that remembers."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import orjson
import psutil
from aiohttp import web

from storage.postgres import Database
from storage.types import Role

PROMPTSHIELD = str(Path(sys.executable).parent / "promptshield")
PATIENCE = 40.0  # seconds for a start on a loaded machine
Script = Callable[[web.Request, bytes], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it reached the upstream: the raw body, not a parsed one."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass(slots=True, eq=False)
class Recorder:
    """An upstream in its own thread. `scripts` maps a path or a model to how it answers; `listing` names models."""

    received: list[Received] = field(default_factory=list)
    scripts: dict[str, Script] = field(default_factory=dict)
    disconnects: int = 0
    listing: Any = field(default_factory=lambda: {"object": "list", "data": [{"id": "scripted", "object": "model"}]})
    url: str = ""
    _loop: asyncio.AbstractEventLoop | None = None
    _thread: threading.Thread | None = None
    _up: threading.Event = field(default_factory=threading.Event)
    _down: asyncio.Event | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._up.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._loop is not None
        assert self._down is not None
        assert self._thread is not None
        self._loop.call_soon_threadsafe(self._down.set)
        self._thread.join(10)

    async def _serve(self) -> None:
        self._loop, self._down = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application(client_max_size=64 << 20)
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        self._up.set()
        await self._down.wait()
        await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.received.append(Received(request.path, dict(request.headers), body))
        if request.method == "GET" and request.path not in self.scripts:
            return web.json_response(self.listing)
        script = self.scripts.get(request.path) or self.scripts.get(read(body).get("model", ""), echo)
        try:
            return await script(request, body)
        except (asyncio.CancelledError, ConnectionError):
            self.disconnects += 1
            raise


def read(body: bytes) -> dict[str, Any]:
    """Read a body as a lenient upstream would, numbers of any size included."""
    document: dict[str, Any] = json.loads(body, parse_int=str, parse_float=str)
    return document


async def echo(_request: web.Request, body: bytes) -> web.Response:
    """Answer with what the last message says."""
    messages = read(body).get("messages")
    last = messages[-1] if isinstance(messages, list) and messages else None
    content = last.get("content") if isinstance(last, dict) else ""
    return completion(content if isinstance(content, str) else "")


def completion(text: str | None, **message: object) -> web.Response:
    choice = {"index": 0, "message": {"role": "assistant", "content": text, **message}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1_700_000_000, "model": "scripted"}
    return web.json_response({**head, "choices": [choice], "usage": usage})


def streamed(*texts: str, end: str = "stop", pause: float = 0.0, done: bool = True) -> Script:
    """Return a script that streams `texts`, one chunk each."""

    async def script(request: web.Request, _body: bytes) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        deltas: list[tuple[dict[str, Any], str | None]] = [({"role": "assistant", "content": ""}, None)]
        deltas += [({"content": text}, None) for text in texts]
        for delta, reason in [*deltas, *([({}, end)] if end else [])]:
            await response.write(b"data: " + orjson.dumps(chunk(delta, reason)) + b"\n\n")
            if pause:
                await asyncio.sleep(pause)
        if done:
            await response.write(b"data: [DONE]\n\n")
        return response

    return script


def chunk(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "scripted"}
    return {**head, "choices": [choice]}


@dataclass(slots=True, eq=False)
class Product:
    """`promptshield serve` on free ports over a data folder of its own."""

    data: Path
    upstream: str = ""
    workers: int = 2
    extra: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    url: str = ""
    control_url: str = ""
    key: str = ""
    admin_password: str = ""
    started_in: float = 0.0
    process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def log(self) -> Path:
        return self.data.parent / f"{self.data.name}.log"

    @property
    def config(self) -> Path:
        return self.data.parent / f"{self.data.name}.yaml"

    def start(self) -> None:
        """Start, wait until it says it is ready, and take the addresses and the demo key from what it prints."""
        self.write_config()
        started = time.monotonic()
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                self.command("serve"), stdout=subprocess.PIPE, stderr=log, text=True, env=self.environ()
            )
        said = ""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            said += line
            if "decisions tail" in line or "key create" in line:
                break
        else:
            raise AssertionError(f"no start: {self.log.read_text()[-2000:]}")
        self.started_in = time.monotonic() - started
        proxy, control = re.search(r"proxy +(\S+)/v1", said), re.search(r"control plane +(\S+)/health ", said)
        assert proxy is not None
        assert control is not None
        self.url, self.control_url = f"{proxy.group(1)}/v1", control.group(1)
        printed = re.search(r"name: admin +password: (\S+)", said)
        self.admin_password = printed.group(1) if printed else ""
        key_file = self.data / "keys" / "demo-api-key"
        self.key = key_file.read_text() if key_file.exists() else ""

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end, and return its exit code."""
        if self.process is None:
            return 0
        self.process.send_signal(number)
        code = self.process.wait(60)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.process = None
        return code

    def write_config(self) -> None:
        upstreams = f"upstreams: [{{name: recorder, base_url: '{self.upstream}'}}]\n" if self.upstream else ""
        ports = ("" if "proxy:" in self.extra else "proxy: {port: 0}\n") + "control: {port: 0}\n"
        edge = "" if "edge:" in self.extra else "edge: {grace: 0.05, drain: 5}\n"
        self.config.write_text(f"{ports}workers: {self.workers}\n{edge}{upstreams}{self.extra}")

    def command(self, *arguments: str) -> list[str]:
        return [PROMPTSHIELD, *arguments, "--config", str(self.config), "--data", str(self.data)]

    def environ(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.endswith(("_API_KEY", "_URL"))}
        return {**kept, **self.environment}

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run another subcommand beside the server."""
        done = subprocess.run(
            self.command(*arguments), capture_output=True, text=True, timeout=60, check=False, env=self.environ()
        )
        if check:
            assert done.returncode == 0, done.stderr
        return done

    def children(self) -> list[psutil.Process]:
        assert self.process is not None
        return psutil.Process(self.process.pid).children()

    def worker_pids(self) -> list[int]:
        """Return the worker processes, by number."""
        return [pid for _, pid in sorted(self._forks("ps-worker-"))]

    def control_pid(self) -> int | None:
        """Return the control plane's process, None while there is none."""
        return next((pid for _, pid in self._forks("ps-control")), None)

    def _forks(self, prefix: str) -> list[tuple[str, int]]:
        return [(name, child.pid) for child in self.children() if (name := _name(child)).startswith(prefix)]

    def rows(self, tenant: str = "demo") -> list[dict[str, Any]]:
        done = self.run("decisions", "tail", "--json", "--limit", "1000", "--tenant", tenant)
        return [orjson.loads(line) for line in done.stdout.splitlines()]

    def all_rows(self, tenant: str = "demo") -> list[dict[str, Any]]:
        """Return every decision of a tenant, straight from the database."""
        return asyncio.run(self._all_rows(tenant))

    def shipped(self, ids: Iterable[str], tenant: str = "demo", patience: float = 15.0) -> list[dict[str, Any]]:
        """Return a tenant's decisions once they hold `ids`, or as they are when patience ends."""
        wanted, deadline = set(ids), time.monotonic() + patience
        rows = self.all_rows(tenant)
        while not wanted <= {row["id"] for row in rows} and time.monotonic() < deadline:
            rows = self.all_rows(tenant)
        return rows

    async def _all_rows(self, tenant: str) -> list[dict[str, Any]]:
        urls = orjson.loads((self.data / "keys" / "runtime.json").read_bytes())
        database = await Database.connect(urls["database"], size=1)
        try:
            async with database.transaction(Role.READER) as connection:
                rows = await connection.fetch(
                    "SELECT d.id::text AS id, d.request_id, d.outcome, d.via, d.facts::text AS facts"
                    " FROM public.decisions d JOIN public.tenants t ON t.id = d.tenant_id WHERE t.slug = $1",
                    tenant,
                )
            return [dict(row.items()) for row in rows]
        finally:
            await database.close()

    def policy(self, text: str, name: str = "demo") -> None:
        """Replace a policy file and wait until it is in force."""
        self.policies({name: text})

    def policies(self, texts: Mapping[str, str]) -> None:
        """Replace policy files, each named by its tenant, and wait until they are in force."""
        folder = self.data / "policies"
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / f"{name}.yaml").write_text(text)
        time.sleep(2.2)  # noqa: TID251 - every worker looks once a second


def _name(process: psutil.Process) -> str:
    """Return what a live process calls itself; one that has just ended is called nothing."""
    try:
        return "" if process.status() == psutil.STATUS_ZOMBIE else process.name()
    except psutil.NoSuchProcess:
        return ""


@contextmanager
def running_engine(*before: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a detection engine, by the command `before` if there is one; yield its process and its URL."""
    process = subprocess.Popen([*before, PROMPTSHIELD, "engine", "--port", "0"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        ready = re.search(r"http://\S+:\d+", process.stdout.readline())
        assert ready is not None
        yield process, ready.group()
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()
