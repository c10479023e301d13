"""An answer in one write reads as aiohttp's own does, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import h11
import pytest
from aiohttp import web

from proxy.whole_answer import WholeAnswer

BODY = b'{"a": 1}'
Ask = Callable[[str, bytes], Awaitable[tuple[h11.Response, bytes]]]


async def serve(request: web.BaseRequest) -> web.StreamResponse:
    kind = WholeAnswer if request.path.startswith("/ours") else web.Response
    response = kind(status=int(request.path.rpartition("/")[2]), body=BODY, headers={"x-a": "b", "Content-Type": "a/b"})
    if request.method == "PUT":
        response.force_close()
    if request.method == "PATCH":
        response.headers["x-a"] = "b\r\nx-c: d"
    return response


@pytest.fixture
async def ask() -> AsyncIterator[Ask]:
    """Ask for a path with the bytes before and after it; return what h11 reads."""
    runner = web.ServerRunner(web.Server(serve))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()

    async def ask(method: str, rest: bytes) -> tuple[h11.Response, bytes]:
        reader, writer = await asyncio.open_connection(*runner.addresses[0])
        writer.write(method.encode() + rest)
        try:
            return await read_answer(reader, method)
        finally:
            writer.close()
            await writer.wait_closed()

    yield ask
    await runner.cleanup()


async def read_answer(reader: asyncio.StreamReader, method: str) -> tuple[h11.Response, bytes]:
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method=method, target="/", headers=[("Host", "h")]))
    client.send(h11.EndOfMessage())
    response, body = None, b""
    while not isinstance(event := client.next_event(), h11.EndOfMessage | h11.ConnectionClosed):
        if event is h11.NEED_DATA:
            client.receive_data(await reader.read(1 << 16))
        elif isinstance(event, h11.Response):
            response = event
        elif isinstance(event, h11.Data):
            body += event.data
    assert response is not None
    return response, body


def plain(response: h11.Response) -> dict[bytes, bytes]:
    return {name: value for name, value in response.headers if name not in {b"server", b"date"}}


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT"])
@pytest.mark.parametrize("status", [b"200", b"204", b"404", b"503"])
async def test_it_reads_as_aiohttps_own_does(ask: Ask, method: str, status: bytes, version: bytes) -> None:
    rest = b"/%b HTTP/%b\r\nHost: h\r\n\r\n" % (status, version)
    ours, body = await ask(method, b" /ours" + rest)
    theirs, their_body = await ask(method, b" /theirs" + rest)

    assert (ours.status_code, ours.reason, body) == (theirs.status_code, theirs.reason, their_body)
    assert plain(ours) == plain(theirs)
    assert b"date" in dict(ours.headers)


async def test_a_header_of_two_lines_is_never_sent(ask: Ask) -> None:
    with pytest.raises(h11.RemoteProtocolError):
        await ask("PATCH", b" /ours/200 HTTP/1.1\r\nHost: h\r\n\r\n")
