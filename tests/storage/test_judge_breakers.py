"""What workers know together of a judge that fails, on the real Valkey."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator

import pytest

from storage.embedded import EngineUrls
from storage.judge_breakers import JudgeBreakers
from storage.redis_client import RedisClient


@pytest.fixture
async def workers(engines: EngineUrls) -> AsyncIterator[list[JudgeBreakers]]:
    clients = [RedisClient.connect(engines.redis_url) for _ in range(3)]
    yield [JudgeBreakers(client) for client in clients]
    for client in clients:
        await client.close()


@pytest.fixture
def judge() -> str:
    return f"kimi-{secrets.token_hex(4)}"


async def test_failures_of_all_workers_count_together(workers: list[JudgeBreakers], judge: str) -> None:
    told = [await workers[number % 3].failed(judge, 5, 30.0) for number in range(5)]
    assert told == [0, 0, 0, 0, 30.0]
    assert all([29 < await worker.seconds_open(judge) <= 30 for worker in workers])


async def test_an_answer_starts_the_count_anew(workers: list[JudgeBreakers], judge: str) -> None:
    for _ in range(4):
        await workers[0].failed(judge, 5, 30.0)
    await workers[1].answered(judge)
    assert await workers[2].failed(judge, 5, 30.0) == 0


async def test_one_of_all_workers_tries_and_its_failure_opens_it_again(
    workers: list[JudgeBreakers], judge: str
) -> None:
    await workers[0].failed(judge, 1, 0.02)
    await asyncio.sleep(0.03)
    assert await workers[0].seconds_open(judge) == 0
    assert [await worker.may_try(judge, 10.0) for worker in workers] == [True, False, False]
    assert await workers[0].failed(judge, 5, 30.0) == 30.0


async def test_late_news_does_not_open_what_is_shut(workers: list[JudgeBreakers], judge: str) -> None:
    await workers[0].failed(judge, 1, 30.0)
    await workers[1].answered(judge)
    assert await workers[2].seconds_open(judge) > 29


async def test_judges_are_told_apart(workers: list[JudgeBreakers], judge: str) -> None:
    await workers[0].failed(judge, 1, 30.0)
    assert await workers[0].seconds_open(f"{judge}-other") == 0


async def test_without_the_store_each_worker_goes_by_what_it_saw(judge: str) -> None:
    client = RedisClient.connect("redis://127.0.0.1:1/0")
    alone = JudgeBreakers(client)
    assert await alone.failed(judge, 1, 30.0) == 0
    assert (await alone.seconds_open(judge), await alone.may_try(judge, 1.0)) == (0, True)
    await client.close()
