"""One connection: whose answer it carries, and what it does when nobody's bytes arrive."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from proxy.pool.answer_reader import AnswerReader
from proxy.pool.connection import Connection
from tests.proxy.pool.scripted import OK, Call, ScriptedUpstream, says

pytestmark = pytest.mark.slow

ASK = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}"


class Ledger:
    """The owner of the one connection under test: what it was told, in order."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.gone = asyncio.Event()

    def rest(self, connection: Connection) -> None:
        self.told.append("rest")

    def lost(self, connection: Connection) -> None:
        self.told.append("lost")
        self.gone.set()


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
async def connection(upstream: ScriptedUpstream, ledger: Ledger) -> AsyncIterator[Connection]:
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(lambda: Connection(ledger), "127.0.0.1", upstream.port)
    yield connection
    connection.abort()
    await asyncio.wait_for(ledger.gone.wait(), 1)


async def test_a_whole_answer_brings_it_to_rest_and_it_can_work_again(connection: Connection, ledger: Ledger) -> None:
    for _ in range(2):
        reader = AnswerReader("POST")
        await connection.ask(ASK, reader, 1)
        while not reader.ended:
            await connection.more(reader, 1)
        assert reader.take() == b"ok"
    assert ledger.told == ["rest", "rest"]
    assert connection.quiet


@pytest.mark.parametrize("data", [OK + b"more", OK.replace(b"Content", b"Connection: close\r\nContent")])
async def test_after_any_other_answer_it_ends(
    connection: Connection, ledger: Ledger, upstream: ScriptedUpstream, data: bytes
) -> None:
    upstream.script(says(data))
    reader = AnswerReader("POST")
    await connection.ask(ASK, reader, 1)
    assert reader.take() == b"ok"
    await asyncio.wait_for(ledger.gone.wait(), 1)
    assert ledger.told == ["lost"]
    assert not connection.quiet


@pytest.mark.parametrize("stray", [b"HTTP/1.1 200 OK\r\n", b"\r\n", b""])
async def test_at_rest_it_ends_with_the_first_sign_of_life(
    connection: Connection, ledger: Ledger, upstream: ScriptedUpstream, stray: bytes
) -> None:
    proceed = asyncio.Event()

    async def script(call: Call) -> None:
        await call.say(OK)
        await proceed.wait()
        if stray:
            await call.say(stray)
            await call.gone()
        call.hang_up()

    upstream.script(script)
    await connection.ask(ASK, AnswerReader("POST"), 1)
    proceed.set()
    await asyncio.wait_for(ledger.gone.wait(), 1)
    assert ledger.told == ["rest", "lost"]


async def test_it_is_not_quiet_when_the_end_came_but_the_loop_has_not_seen_it(
    connection: Connection, upstream: ScriptedUpstream
) -> None:
    await connection.ask(ASK, AnswerReader("POST"), 1)
    assert connection.quiet
    upstream.calls[0].hang_up_unseen()
    assert not connection.quiet


async def test_an_early_answer_to_a_large_request_is_heard_and_ends_the_connection(
    connection: Connection, ledger: Ledger, upstream: ScriptedUpstream
) -> None:
    async def script(call: Call) -> None:
        await call.say(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await asyncio.Event().wait()

    upstream.script(script)
    reader = AnswerReader("POST")
    # The scripted upstream sees a request of two bytes and never reads the 16 MiB behind it.
    await connection.ask(ASK + bytes(16 << 20), reader, 1)
    assert (reader.status, reader.complete) == (413, True)
    await asyncio.wait_for(ledger.gone.wait(), 1)
    assert ledger.told == ["lost"]


async def test_silence_before_the_head_is_a_timeout_however_it_drips(
    connection: Connection, ledger: Ledger, upstream: ScriptedUpstream
) -> None:
    async def script(call: Call) -> None:
        while True:
            await call.say(b"HTTP/1.1 100 Continue\r\n\r\n")
            await asyncio.sleep(0.005)

    upstream.script(script)
    reader = AnswerReader("POST")
    await connection.ask(ASK, reader, 0.03)
    assert reader.failure == "timeout"
    await asyncio.wait_for(ledger.gone.wait(), 1)


async def test_cancelled_while_waiting_it_ends(
    connection: Connection, ledger: Ledger, upstream: ScriptedUpstream
) -> None:
    gone = asyncio.Event()

    async def script(call: Call) -> None:
        await call.gone()
        gone.set()

    upstream.script(script)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(connection.ask(ASK, AnswerReader("POST"), 5), 0.01)
    await asyncio.wait_for(gone.wait(), 1)
    await asyncio.wait_for(ledger.gone.wait(), 1)


async def test_a_reader_whose_answer_has_ended_has_no_say_any_more(connection: Connection, ledger: Ledger) -> None:
    first, second = AnswerReader("POST"), AnswerReader("POST")
    await connection.ask(ASK, first, 1)
    asking = asyncio.ensure_future(connection.ask(ASK, second, 1))
    await asyncio.sleep(0)
    connection.drop(first)
    await connection.more(first, 0.001)
    await asking
    assert second.complete
    assert ledger.told == ["rest", "rest"]


async def test_asked_after_its_end_it_says_so(connection: Connection, ledger: Ledger) -> None:
    connection.abort()
    await asyncio.wait_for(ledger.gone.wait(), 1)
    reader = AnswerReader("POST")
    await connection.ask(ASK, reader, 1)
    assert reader.failure == "reset"
