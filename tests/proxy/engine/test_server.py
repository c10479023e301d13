"""The engine's own side: who may ask, how much at once, and its health."""

from __future__ import annotations

import io

import aiohttp

from proxy.app import Detection
from proxy.engine.client import INSPECT
from proxy.engine.server import EngineHandler
from proxy.engine_settings import EngineSettings
from tests.proxy.engine.test_client import chain_of, client_of, inspect, serving


async def test_a_wrong_token_gets_nothing_and_health_is_open(detection: Detection) -> None:
    settings = EngineSettings(token="s" * 24)
    handler = EngineHandler(detection.chain, settings, ("linear",), clock=iter((10.0, 15.5)).__next__)
    async with serving(handler, settings) as url, client_of(url) as (client, counted):
        await inspect(chain_of(detection), client)
        async with aiohttp.ClientSession() as session, session.get(f"{url}/health") as answer:
            health = await answer.json()

    assert counted.results == ["status_4xx"]
    assert (health["status"], health["models"], health["uptime"]) == ("healthy", ["linear"], 5)


async def test_more_questions_than_it_takes_at_once_are_sent_away(detection: Detection) -> None:
    settings = EngineSettings(in_flight=1, body=1 << 20)
    handler = EngineHandler(detection.chain, settings, ())
    handler._busy = 1
    async with serving(handler, settings) as url, aiohttp.ClientSession() as session:
        async with session.post(url + INSPECT, data=b"{}") as full:
            assert full.status == 503
        handler._busy = 0
        async with session.post(url + INSPECT, data=io.BytesIO(b" " * (2 << 20))) as large:
            assert large.status == 413
        async with session.get(url + INSPECT) as read, session.get(url + "/x") as lost:
            assert (read.status, lost.status) == (405, 404)
