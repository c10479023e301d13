"""What is kept between requests, for how long, and what is left behind: nothing."""

from __future__ import annotations

import asyncio
import gc
import ssl
from collections.abc import AsyncIterator

import psutil
import pytest

from proxy.pool import connections as module
from proxy.pool.answer_reader import AnswerReader
from proxy.pool.connection import Connection
from proxy.pool.connections import Connections
from proxy.pool.endpoint import Endpoint
from tests.proxy.pool.scripted import ScriptedUpstream, eventually

pytestmark = pytest.mark.slow

ASK = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


def made(upstream: ScriptedUpstream, idle_seconds: float = 60) -> Connections:
    endpoint = Endpoint.parse(f"http://127.0.0.1:{upstream.port}")
    return Connections(endpoint, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), idle_seconds)


@pytest.fixture
async def connections(upstream: ScriptedUpstream) -> AsyncIterator[Connections]:
    connections = made(upstream)
    yield connections
    await connections.close()


async def used(connections: Connections, count: int) -> list[Connection]:
    """Open so many connections and bring them to rest, one after the other."""
    opened = [await connections.connect() for _ in range(count)]
    for connection in opened:
        await connection.ask(ASK, AnswerReader("GET"), 1)
    return opened


async def test_the_last_to_rest_is_the_first_to_work(connections: Connections) -> None:
    first, second = await used(connections, 2)
    assert [connections.take(), connections.take(), connections.take()] == [second, first, None]


async def test_a_closed_connection_is_never_handed_out(connections: Connections, upstream: ScriptedUpstream) -> None:
    first, _ = await used(connections, 2)
    upstream.calls[1].hang_up_unseen()
    assert connections.take() is first
    assert connections.take() is None


async def test_idle_connections_close_by_themselves(upstream: ScriptedUpstream) -> None:
    connections = made(upstream, idle_seconds=0.02)
    await used(connections, 3)
    await eventually(lambda: len(connections._open) == 0)
    assert connections.take() is None
    await used(connections, 1)
    await eventually(lambda: len(connections._open) == 0)
    await connections.close()


async def test_only_so_many_rest(connections: Connections, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_IDLE", 2)
    _, second, third = await used(connections, 3)
    await eventually(lambda: len(connections._open) == 2)
    assert [connections.take(), connections.take(), connections.take()] == [third, second, None]


async def test_close_ends_those_at_work_too_and_waits_for_them(upstream: ScriptedUpstream) -> None:
    connections = made(upstream)
    await used(connections, 2)
    at_work = connections.take()
    await connections.close()
    assert connections._open == set()
    assert at_work is not None
    assert not at_work.quiet
    with pytest.raises(OSError):
        await connections.connect()


async def test_no_cancelled_connect_leaves_a_socket(upstream: ScriptedUpstream) -> None:
    connections, process = made(upstream), psutil.Process()
    before = process.num_fds()
    for turns in range(30):
        task = asyncio.ensure_future(connections.connect())
        for _ in range(turns % 10):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await connections.close()
    gc.collect()
    await eventually(lambda: process.num_fds() <= before)


async def test_nobody_listening_is_an_error(upstream: ScriptedUpstream) -> None:
    connections = made(upstream)
    upstream._server.close()
    await upstream._server.wait_closed()
    with pytest.raises(OSError):
        await connections.connect()
