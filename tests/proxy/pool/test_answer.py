"""Bodies as the rest of the proxy reads them: whole or in chunks, plain or compressed, sound or broken."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable

import brotli  # type: ignore[import-untyped]
import pytest
from backports import zstd

from detectors.errors import UpstreamError
from proxy.pool.answer import PooledAnswer
from proxy.pool.connection_pool import ConnectionPool
from proxy.upstreams.upstream import LARGEST_ANSWER, UpstreamAnswer, UpstreamRequest
from tests.proxy.pool.scripted import Call, ScriptedUpstream, eventually, says

POST = UpstreamRequest("POST", "/chat", {}, b"{}")
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


async def drain(answer: UpstreamAnswer) -> bytes:
    return b"".join([chunk async for chunk in answer.chunks()])


@pytest.mark.parametrize("dripping", [False, True])
@pytest.mark.parametrize(
    ("data", "hang_up"),
    [
        (OK + b"Content-Length: 5\r\n\r\nhello", False),
        (CHUNKED + b"2\r\nhe\r\n3\r\nllo\r\n0\r\nX-T: u\r\n\r\n", False),
        (OK + b"\r\nhello", True),
        (b"HTTP/1.0 200 OK\r\n\r\nhello", True),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello", True),
    ],
)
async def test_a_body_is_the_same_read_whole_or_in_chunks(
    pool: ConnectionPool, upstream: ScriptedUpstream, data: bytes, hang_up: bool, dripping: bool
) -> None:
    upstream.script(says(data, dripping=dripping, hang_up=hang_up))
    whole = await pool.send(upstream.settings(), POST)
    assert (whole.status, await whole.read()) == (200, b"hello")
    assert await drain(await pool.send(upstream.settings(), POST)) == b"hello"


async def test_a_chunk_is_there_before_the_next_is_sent(pool: ConnectionPool, upstream: ScriptedUpstream) -> None:
    seen = asyncio.Event()

    async def script(call: Call) -> None:
        await call.say(CHUNKED + b"3\r\none\r\n")
        await seen.wait()
        await call.say(b"3\r\ntwo\r\n0\r\n\r\n")

    upstream.script(script)
    chunks = (await pool.send(upstream.settings(), POST)).chunks()
    assert await anext(chunks) == b"one"
    seen.set()
    assert [chunk async for chunk in chunks] == [b"two"]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (OK + b"Content-Length: 9\r\n\r\nhello", "reset"),
        (CHUNKED + b"5\r\nhello\r\n", "reset"),
        (CHUNKED + b"5\r\nhello\r\nzzz\r\n", "protocol"),
    ],
)
async def test_a_body_that_breaks_off_is_an_error_after_what_came(
    pool: ConnectionPool, upstream: ScriptedUpstream, data: bytes, kind: str
) -> None:
    head_read = asyncio.Event()

    async def script(call: Call) -> None:
        head, body = data.split(b"\r\n\r\n", 1)
        await call.say(head + b"\r\n\r\n")
        await head_read.wait()
        await call.say(body)
        call.hang_up()

    upstream.script(script)
    answer = await pool.send(upstream.settings(), POST)
    head_read.set()
    got: list[bytes] = []
    with pytest.raises(UpstreamError) as caught:
        got.extend([chunk async for chunk in answer.chunks()])
    assert caught.value.kind == kind


async def test_a_reset_is_not_the_end_of_a_body_without_length(
    pool: ConnectionPool, upstream: ScriptedUpstream
) -> None:
    async def script(call: Call) -> None:
        await call.say(OK + b"\r\nhello")
        await asyncio.sleep(0.005)
        call.reset()

    upstream.script(script)
    answer = await pool.send(upstream.settings(), POST)
    with pytest.raises(UpstreamError) as caught:
        await answer.read()
    assert caught.value.kind == "reset"


async def test_silence_between_chunks_is_a_timeout(pool: ConnectionPool, upstream: ScriptedUpstream) -> None:
    async def script(call: Call) -> None:
        await call.say(CHUNKED + b"5\r\nhello\r\n")
        await call.gone()

    upstream.script(script)
    answer = await pool.send(upstream.settings(between_chunks=0.02), POST)
    chunks = answer.chunks()
    assert await anext(chunks) == b"hello"
    with pytest.raises(UpstreamError) as caught:
        await anext(chunks)
    assert caught.value.kind == "timeout"


async def test_bytes_that_bring_no_text_do_not_count_as_a_chunk(
    pool: ConnectionPool, upstream: ScriptedUpstream
) -> None:
    async def script(call: Call) -> None:
        await call.say(CHUNKED + b"5;")
        while True:
            await call.say(b"a")
            await asyncio.sleep(0.005)

    upstream.script(script)
    answer = await pool.send(upstream.settings(between_chunks=0.05), POST)
    with pytest.raises(UpstreamError) as caught:
        await answer.read()
    assert caught.value.kind == "timeout"


@pytest.mark.parametrize(("size", "pause"), [(1, 0.005), (100_000, 0.0)], ids=["drips", "floods"])
async def test_an_answer_without_end_ends_when_its_time_is_up(
    pool: ConnectionPool, upstream: ScriptedUpstream, size: int, pause: float
) -> None:
    async def script(call: Call) -> None:
        await call.say(CHUNKED)
        while True:
            await call.say(b"%x\r\n%b\r\n" % (size, bytes(size)))
            await asyncio.sleep(pause)

    upstream.script(script)
    answer = await pool.send(upstream.settings(total=0.5), POST)
    with pytest.raises(UpstreamError) as caught:
        async for _ in answer.chunks():
            pass
    assert caught.value.kind == "timeout"
    await eventually(upstream.calls[0].writer.is_closing)


async def test_a_head_that_never_comes_is_not_waited_for_beyond_the_whole_time(
    pool: ConnectionPool, upstream: ScriptedUpstream
) -> None:
    upstream.script(Call.gone)
    with pytest.raises(UpstreamError) as caught:
        await pool.send(upstream.settings(total=0.3), POST)
    assert (caught.value.kind, caught.value.sent) == ("timeout", True)


async def test_an_answer_that_was_whole_in_time_may_be_read_later(
    pool: ConnectionPool, upstream: ScriptedUpstream
) -> None:
    answer = await pool.send(upstream.settings(total=0.3), POST)
    await asyncio.sleep(0.4)
    assert await drain(answer) == b"ok"


async def test_a_slow_reader_is_not_the_upstreams_silence(pool: ConnectionPool, upstream: ScriptedUpstream) -> None:
    upstream.script(says(OK + b"Content-Length: 2000000\r\n\r\n" + bytes(2000000)))
    answer = await pool.send(upstream.settings(between_chunks=0.02), POST)
    size = 0
    async for chunk in answer.chunks():
        size += len(chunk)
        await asyncio.sleep(0.005)
    assert size == 2000000


async def test_what_nobody_reads_is_not_fetched(pool: ConnectionPool, upstream: ScriptedUpstream) -> None:
    size, sent = 30 << 20, 0

    async def script(call: Call) -> None:
        nonlocal sent
        await call.say(OK + b"Content-Length: %d\r\n\r\n" % size)
        for _ in range(size >> 20):
            await call.say(bytes(1 << 20))
            sent += 1 << 20

    upstream.script(script)
    answer = await pool.send(upstream.settings(), POST)
    await asyncio.sleep(0.1)
    assert answer._reader.unread < 2 << 20
    assert sent < size - (4 << 20)
    assert len(await answer.read()) == size
    assert len(await (await pool.send(upstream.settings(), POST)).read()) == size
    assert upstream.accepted == 1


def compressed(body: bytes, coding: bytes = b"gzip") -> bytes:
    return OK + b"Content-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (coding, len(body)) + body


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda body: body,
    "gzip": lambda body: gzip.compress(body, 1, mtime=0),
    "br": lambda body: brotli.compress(body, quality=1),
    "zstd": zstd.compress,
}
HELLO = b"hello " * 10
PACKED = {name.encode(): pack(HELLO) for name, pack in PACKERS.items() if name}


@pytest.mark.parametrize("coding", PACKED)
@pytest.mark.parametrize("dripping", [False, True])
async def test_a_compressed_answer_is_opened(
    pool: ConnectionPool, upstream: ScriptedUpstream, coding: bytes, dripping: bool
) -> None:
    upstream.script(says(compressed(PACKED[coding], coding), dripping=dripping))
    assert await (await pool.send(upstream.settings(), POST)).read() == HELLO
    assert await drain(await pool.send(upstream.settings(), POST)) == HELLO


CUT = [compressed(packed[:-3], coding) for coding, packed in PACKED.items()]
WRONG = [compressed(b"plain", coding) for coding in PACKED]


@pytest.mark.parametrize("data", [*CUT, *WRONG])
async def test_a_compressed_answer_that_is_broken_is_an_error(
    pool: ConnectionPool, upstream: ScriptedUpstream, data: bytes
) -> None:
    upstream.script(says(data))
    answer = await pool.send(upstream.settings(), POST)
    with pytest.raises(UpstreamError) as caught:
        await answer.read()
    assert caught.value.kind == "protocol"


async def test_an_encoding_that_nobody_opens_is_an_error_at_once(
    pool: ConnectionPool, upstream: ScriptedUpstream
) -> None:
    upstream.script(says(compressed(b"hello", b"compress")))
    with pytest.raises(UpstreamError) as caught:
        await pool.send(upstream.settings(), POST)
    assert caught.value.kind == "protocol"


@pytest.mark.parametrize("coding", ["", "gzip", "br", "zstd"])
async def test_an_answer_too_large_is_an_error_and_ends_the_connection(
    pool: ConnectionPool, upstream: ScriptedUpstream, coding: str
) -> None:
    body = bytes(LARGEST_ANSWER + 1)
    upstream.script(says(compressed(PACKERS[coding](body), coding.encode())))
    answer = await pool.send(upstream.settings(), POST)
    with pytest.raises(UpstreamError) as caught:
        await answer.read()
    assert caught.value.kind == "too_large"


async def test_closing_an_answer_half_read_ends_the_upstreams_work_at_once(
    pool: ConnectionPool, upstream: ScriptedUpstream
) -> None:
    gone = asyncio.Event()

    async def script(call: Call) -> None:
        await call.say(CHUNKED + b"5\r\nhello\r\n")
        await call.gone()
        gone.set()

    upstream.script(script)
    answer = await pool.send(upstream.settings(), POST)
    assert await anext(answer.chunks()) == b"hello"
    answer.close()
    await asyncio.wait_for(gone.wait(), 1)


async def test_closing_a_finished_answer_twice_does_not_touch_the_next_one(
    pool: ConnectionPool, upstream: ScriptedUpstream
) -> None:
    first = await pool.send(upstream.settings(), POST)
    assert await first.read() == b"ok"
    first.close()
    second: PooledAnswer = await pool.send(upstream.settings(), POST)
    first.close()
    assert await second.read() == b"ok"
    assert upstream.accepted == 1
