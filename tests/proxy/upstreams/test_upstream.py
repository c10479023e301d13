"""Towards the upstream, over real sockets: what the rest of the proxy relies on, whichever pool is behind it."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from detectors.errors import UpstreamError
from proxy.pool.connection_pool import ConnectionPool
from proxy.settings import Timeouts, UpstreamSettings
from proxy.upstreams.upstream import LARGEST_ANSWER, UpstreamPool, UpstreamRequest, Upstreams

POST = UpstreamRequest("POST", "/echo", {"Content-Type": "application/json", "x-a": "b"}, b'{"a":1}')
Target = Callable[..., UpstreamSettings]


def named(name: str, *models: str, priority: int = 100) -> UpstreamSettings:
    return UpstreamSettings(name=name, base_url="http://h", models=models, priority=priority)


@pytest.mark.parametrize(
    ("model", "name"),
    [("gpt-4o", "all"), ("meta/llama", "routed"), ("claude-3", "claude"), ("Claude-3", "all"), ("", "claude")],
)
def test_of_the_upstreams_that_serve_a_model_the_first_in_priority_gets_it(model: str, name: str) -> None:
    upstreams = Upstreams(
        [named("all", "*"), named("routed", "*/*", priority=10), named("claude", "claude-*", priority=5)]
    )

    assert upstreams.serving("openai", model)[0].name == name


def test_whoever_else_serves_a_model_comes_after_the_first_choice() -> None:
    upstreams = Upstreams([named("last", "*"), named("claude", "claude-*", priority=5), named("mid", "*", priority=9)])
    assert [upstream.name for upstream in upstreams.serving("openai", "claude-3")] == ["claude", "mid", "last"]


def test_an_upstream_serves_its_own_dialect_only() -> None:
    other = UpstreamSettings(name="other", dialect="anthropic", base_url="http://h", priority=1)
    upstreams = Upstreams([named("all", "*"), other])
    assert [upstream.name for upstream in upstreams.speaking("anthropic")] == ["other"]
    assert upstreams.serving("openai", "m") == [named("all", "*")]
    assert upstreams.serving("gemini", "m") == []


def test_a_model_that_nobody_serves_has_no_upstream() -> None:
    assert Upstreams([named("claude", "claude-*")]).serving("openai", "gpt-4o") == []


async def echo(request: web.Request) -> web.Response:
    told = {"path": request.path, "headers": dict(request.headers), "body": (await request.read()).decode()}
    peer = request.transport.get_extra_info("peername") if request.transport else None
    return web.json_response(told, headers={"x-port": str(peer[1] if peer else 0), "Set-Cookie": "a=b"})


async def slow(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(0.1)
    return web.Response(text="late")


async def stalled(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"first")
    await asyncio.sleep(5)
    return response


async def cut(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(b"first")
    assert request.transport
    request.transport.close()
    return response


async def huge(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b"a" * (1 << 20))


async def bomb(request: web.Request) -> web.Response:
    return web.Response(
        body=gzip.compress(b"\0" * (LARGEST_ANSWER + 1), 1, mtime=0), headers={"Content-Encoding": "gzip"}
    )


async def mislabelled(request: web.Request) -> web.Response:
    return web.Response(body=b"no gzip", headers={"Content-Encoding": "gzip"})


async def away(request: web.Request) -> web.Response:
    raise web.HTTPTemporaryRedirect("/v1/echo")


@pytest.fixture
async def upstream() -> AsyncIterator[Target]:
    app = web.Application()
    for handler in (echo, slow, stalled, cut, huge, bomb, mislabelled, away):
        app.router.add_route("*", f"/v1/{handler.__name__}", handler)
    async with TestServer(app, host="127.0.0.1", shutdown_timeout=0) as server:

        def target(**seconds: float) -> UpstreamSettings:
            timeouts = Timeouts(**{"connect": 1, "first_byte": 2, "between_chunks": 1, **seconds})
            return UpstreamSettings(name="local", base_url=f"{server.make_url('/v1')}", timeouts=timeouts)

        yield target


@pytest.fixture
async def pool() -> AsyncIterator[UpstreamPool]:
    pool = ConnectionPool()
    yield pool
    await pool.close()


def to(path: str) -> UpstreamRequest:
    return UpstreamRequest("POST", path, {}, b"{}")


async def kind_of_failure(pool: UpstreamPool, upstream: UpstreamSettings, path: str) -> str:
    with pytest.raises(UpstreamError) as caught:
        await (await pool.send(upstream, to(path))).read()
    return caught.value.kind


async def test_what_is_sent_is_what_arrives_and_nothing_is_added_of_ours(pool: UpstreamPool, upstream: Target) -> None:
    answer = await pool.send(upstream(), POST)
    told = await answer.read()

    assert answer.status == 200
    assert b'"body": "{\\"a\\":1}"' in told
    assert b'"path": "/v1/echo"' in told
    assert not any(word in told.lower() for word in (b"user-agent", b"aiohttp", b"cookie"))


async def test_a_connection_whose_answer_was_read_is_used_again_without_its_cookies(
    pool: UpstreamPool, upstream: Target
) -> None:
    ports = []
    for _ in range(3):
        answer = await pool.send(upstream(), POST)
        ports.append(answer.headers["x-port"])
        assert b"a=b" not in await answer.read()
        answer.close()

    assert len(set(ports)) == 1


async def test_an_answer_that_is_closed_early_spoils_no_later_one(pool: UpstreamPool, upstream: Target) -> None:
    answer = await pool.send(upstream(), to("/stalled"))
    assert await anext(answer.chunks()) == b"first"
    answer.close()

    assert b"/v1/echo" in await (await pool.send(upstream(), POST)).read()


async def test_the_first_byte_may_take_longer_than_the_pause_between_two_chunks(
    pool: UpstreamPool, upstream: Target
) -> None:
    answer = await pool.send(upstream(first_byte=2, between_chunks=0.01), to("/slow"))

    assert await answer.read() == b"late"


async def test_an_upstream_that_never_begins_is_timed_out(pool: UpstreamPool, upstream: Target) -> None:
    assert await kind_of_failure(pool, upstream(first_byte=0.02), "/slow") == "timeout"


async def test_a_stream_that_falls_silent_gives_what_it_gave_and_a_timeout(
    pool: UpstreamPool, upstream: Target
) -> None:
    answer = await pool.send(upstream(between_chunks=0.05), to("/stalled"))
    chunks = answer.chunks()

    assert await anext(chunks) == b"first"
    with pytest.raises(UpstreamError) as caught:
        await anext(chunks)
    assert caught.value.kind == "timeout"


@pytest.mark.parametrize(
    ("path", "kinds"),
    [
        ("/cut", {"reset"}),
        ("/huge", {"too_large"}),
        ("/bomb", {"too_large"}),
        ("/mislabelled", {"protocol", "reset"}),
    ],
)
async def test_an_answer_that_is_broken_or_too_large_is_an_error(
    pool: UpstreamPool, upstream: Target, path: str, kinds: set[str]
) -> None:
    assert await kind_of_failure(pool, upstream(), path) in kinds


async def test_a_redirect_is_told_and_never_followed(pool: UpstreamPool, upstream: Target) -> None:
    answer = await pool.send(upstream(), to("/away"))

    assert (answer.status, answer.headers["Location"]) == (307, "/v1/echo")


async def test_nobody_listening_is_an_error_of_its_own(pool: UpstreamPool) -> None:
    assert (
        await kind_of_failure(pool, named("gone").model_copy(update={"base_url": "http://127.0.0.1:1"}), "/x")
        == "connect"
    )


async def test_a_broken_head_is_a_protocol_error(pool: UpstreamPool) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        upstream = named("odd").model_copy(update={"base_url": address, "timeouts": Timeouts(first_byte=1)})
        assert await kind_of_failure(pool, upstream, "/x") == "protocol"


async def test_a_request_that_is_cancelled_leaves_the_pool_usable(pool: UpstreamPool, upstream: Target) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await pool.send(upstream(), to("/slow"))

    assert b"/v1/echo" in await (await pool.send(upstream(), POST)).read()
