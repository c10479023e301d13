"""Both event loops for every test of the pool: the one the product runs on, and asyncio's own."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping

import pytest
import uvloop

from proxy.pool.connection_pool import ConnectionPool, verified_tls
from tests.proxy.pool.scripted import ScriptedUpstream


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with ScriptedUpstream() as upstream:
        yield upstream


@pytest.fixture(scope="session")
def trust() -> ssl.SSLContext:
    """The system's trust store, which takes longer to read than most tests to run."""
    return verified_tls()


@pytest.fixture
async def pool(trust: ssl.SSLContext) -> AsyncIterator[ConnectionPool]:
    pool = ConnectionPool(trust)
    yield pool
    await pool.close()
