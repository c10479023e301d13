"""How long others wait while a megabyte is answered: the real handler on this loop, beside a task that only sleeps.

A wait is counted in this process' CPU time where that is less than the time that passed: what else a machine does while
this process waits for a processor is no stall of ours.
"""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Final

import orjson
from aiohttp import web

from proxy.app import Detection, build_worker
from proxy.edge import EdgeServer
from proxy.handler import Handler
from proxy.identity import KeyDirectory
from proxy.runtime.worker import COLLECT_AFTER, SWITCH_AFTER
from proxy.settings import load_settings
from storage.embedded import EngineUrls
from storage.keys.house_keys import open_house_keys
from storage.revisions import Revisions
from storage.tenants.api_keys import generate_key
from storage.types import Identity
from tests.bench.load import http_request
from tests.bench.targets import ANSWER

_POLICY: Final = """
extends: preset/standard
limits: {text: 4 MiB}
unscanned: {oversize: flag, decode_budget: flag}
rules:
  - {id: masked, when: {category: pii}, action: mask}
"""
_NOBODY: Final = "127.0.0.1:9"  # the discard port: neither database nor Valkey is asked for anything
_TICK: Final = 0.001


def echo(body: bytes) -> bytes:
    """Answer with what the last message says, so that the same text is screened on both ways."""
    answer = orjson.loads(ANSWER)
    content = orjson.loads(body)["messages"][-1]["content"]
    answer["choices"][0]["message"]["content"] = content if isinstance(content, str) else orjson.dumps(content).decode()
    return orjson.dumps(answer)


class _OneKey:
    async def find(self, hash: bytes) -> Identity | None:  # noqa: A002 - the store's own word
        return Identity(1, "bench", 1, "default", 1)


async def _unchanged() -> Revisions:
    return Revisions(0, 0)


def run_as_a_worker() -> None:
    """Give this process what a worker has of its supervisor and gives itself: once all that lasts is loaded."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    sys.setswitchinterval(SWITCH_AFTER)


@asynccontextmanager
async def served(folder: Path, detection: Detection, upstream: str) -> AsyncIterator[int]:
    """Serve a worker on this loop, with a key store of one key; yield its port."""
    settings = load_settings(data=folder, environment={"OPENAI_API_KEY": "none", "OPENAI_API_BASE": upstream})
    settings.policies_folder.mkdir(parents=True, mode=0o700)
    (settings.policies_folder / "default.yaml").write_text(_POLICY)
    urls = EngineUrls(f"postgresql://ps@{_NOBODY}/ps", "", f"redis://{_NOBODY}")
    house_keys = open_house_keys(settings.keys_folder)
    worker = await build_worker(settings, detection, house_keys, urls, 0, "bench")
    keys = KeyDirectory(_OneKey(), _unchanged, house_keys.pepper, inf)
    await keys.check()
    runner = web.ServerRunner(EdgeServer(Handler(replace(worker.parts, keys=keys))), handle_signals=False)
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, listener).start()
    yield listener.getsockname()[1]
    await runner.cleanup()
    await worker.close()


async def longest_wait(port: int, body: bytes) -> tuple[float, float, int]:
    """Return the longest wait of a sleeping task while `body` is answered, the seconds that took, and its status."""
    request = http_request("/v1/chat/completions", f"127.0.0.1:{port}", generate_key(), body)
    waits: list[float] = []
    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        ticking = group.create_task(_tick(waits))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        writer.close()
        ticking.cancel()
    return max(waits), time.perf_counter() - started, int(head.split()[1])


async def _tick(waits: list[float]) -> None:
    while True:
        began, used = time.perf_counter(), time.process_time()
        await asyncio.sleep(_TICK)
        waits.append(min(time.perf_counter() - began - _TICK, time.process_time() - used))
