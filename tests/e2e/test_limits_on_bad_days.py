"""Limits of the running product while its Valkey is flushed, hangs and is killed: no 5xx, no more than the limit."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import orjson
import psutil
import pytest

from storage.redis_client import RedisClient, Script
from tests.harness import Product, Recorder

LIMIT = 240
POLICY = f"""extends: preset/standard
limits:
  requests: {LIMIT}/hour
  tokens: 100M/hour
  cost: 100 USD/hour
  concurrent: 80
  keys: {{'*': {{requests: 100000/hour}}}}
risk: {{of: [app, tenant], half_life: 1h, strict_at: 50, block_at: 90}}
"""
BODY = {
    "model": "scripted",
    "max_tokens": 5,
    "messages": [{"role": "user", "content": "What is the capital of France?"}],
}


@pytest.fixture
def limited(folder: Path, upstream: Recorder) -> Iterator[Product]:
    with Product(folder / "bad-days", upstream=upstream.url) as product:
        product.policy(POLICY)
        yield product


def ask(product: Product, count: int) -> Counter[int]:
    """Send requests over a connection each, so that both workers get about half of them."""

    async def one(gate: asyncio.Semaphore) -> int:
        async with (
            gate,
            aiohttp.ClientSession(headers={"Authorization": f"Bearer {product.key}"}) as session,
            session.post(f"{product.url}/chat/completions", json=BODY) as answer,
        ):
            await answer.read()
            return answer.status

    async def play() -> Counter[int]:
        gate = asyncio.Semaphore(16)
        return Counter(await asyncio.gather(*(one(gate) for _ in range(count))))

    return asyncio.run(play())


def valkey(product: Product) -> psutil.Process:
    assert product.process is not None
    family = psutil.Process(product.process.pid).children(recursive=True)
    return next(process for process in family if "valkey-server" in " ".join(process.cmdline()))


def flush(product: Product) -> None:
    async def forget() -> None:
        urls = orjson.loads((product.data / "keys" / "runtime.json").read_bytes())
        redis = RedisClient.connect(urls["redis"], 5.0)
        await redis.run_script(Script("return redis.call('FLUSHALL')", "4" * 40), [], [])
        await redis.close()

    asyncio.run(forget())


def test_no_bad_day_of_valkey_costs_a_request_or_gives_a_second_limit_away(
    limited: Product, recorder: Recorder
) -> None:
    seen = [ask(limited, 60)]
    flush(limited)
    seen.append(ask(limited, 30))
    process = valkey(limited)
    process.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    seen.append(ask(limited, 30))
    hanging = time.monotonic() - began
    process.send_signal(signal.SIGCONT)
    time.sleep(6)  # noqa: TID251 - workers look once a second whether it is back
    seen.append(ask(limited, 30))
    process.kill()
    seen.append(ask(limited, 400))

    admitted = sum(phase[200] for phase in seen)
    assert set().union(*seen) == {200, 429}, seen
    assert LIMIT * 0.75 <= admitted <= LIMIT, seen
    assert len(recorder.received) == admitted
    assert hanging < 15
