"""What the product is measured beside: an upstream that costs nothing, and a bare aiohttp pass-through."""

from __future__ import annotations

import asyncio
import multiprocessing
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.process import BaseProcess
from typing import cast

import aiohttp
import uvloop
from aiohttp import web

Reply = Callable[[bytes], bytes]
ANSWER = (
    b'{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"bench","choices":[{"index":0,'
    b'"message":{"role":"assistant","content":"Paris is the capital of France, on the river Seine."},'
    b'"finish_reason":"stop"}],"usage":{"prompt_tokens":20,"completion_tokens":11,"total_tokens":31}}'
)


_STREAMED = re.compile(rb'"model":"stream-(\d+)-([0-9.]+)"')
_STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_WORDS = [b"ater", b"aves", b"hich", b"ere", b"ill", b"arm", b"inter", b"est"]


def _chunk(delta: bytes, finish: bytes = b"null") -> bytes:
    event = (
        b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"bench","choices":['
        b'{"index":0,"delta":%s,"finish_reason":%s}]}\n\n' % (delta, finish)
    )
    return b"%x\r\n%s\r\n" % (len(event), event)


class _Upstream(asyncio.Protocol):
    """Answers each request as soon as its body is whole; understands just what the benchmark sends."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, self._buffer = cast("asyncio.Transport", transport), b""
        self._streams: set[asyncio.Task[None]] = set()

    async def _stream(self, chunks: int, interval: float) -> None:
        """Say a word every `interval` seconds, so many times."""
        self._transport.write(_STREAM_HEAD + _chunk(b'{"role":"assistant","content":""}'))
        for number in range(chunks):
            if number:
                await asyncio.sleep(interval)
            self._transport.write(_chunk(b'{"content":"w%s "}' % _WORDS[number % len(_WORDS)]))
        self._transport.write(_chunk(b"{}", b'"stop"') + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while b"\r\n\r\n" in self._buffer:
            head, rest = self._buffer.split(b"\r\n\r\n", 1)
            lines = head.lower().split(b"\r\n")
            length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
            if len(rest) < length:
                return
            body, self._buffer = rest[:length], rest[length:]
            streamed = _STREAMED.search(body)
            if streamed is not None:
                keep = asyncio.get_running_loop().create_task(self._stream(int(streamed[1]), float(streamed[2])))
                self._streams.add(keep)
                keep.add_done_callback(self._streams.discard)
                continue
            said = self._reply(body)
            head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(said)
            self._transport.write(head + said)


async def _serve_upstream(listener: socket.socket, reply: Reply) -> None:
    server = await asyncio.get_running_loop().create_server(partial(_Upstream, reply), sock=listener)
    await server.serve_forever()


async def _serve_pass_through(listener: socket.socket, upstream: str) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            body = await request.read()
            headers = {"Content-Type": "application/json"}
            async with session.post(f"{upstream}/chat/completions", data=body, headers=headers) as answer:
                if answer.content_type == "text/event-stream":
                    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
                    await response.prepare(request)
                    async for chunk in answer.content.iter_any():
                        await response.write(chunk)
                    await response.write_eof()
                    return response
                return web.Response(status=answer.status, body=await answer.read(), content_type="application/json")

        runner = web.ServerRunner(web.Server(handle, access_log=None))
        await runner.setup()
        await web.SockSite(runner, listener).start()
        await asyncio.Event().wait()


def _same_answer(_body: bytes) -> bytes:
    return ANSWER


@contextmanager
def upstream(reply: Reply = _same_answer) -> Iterator[str]:
    """Run the upstream in a process; yield its base URL. `reply` makes the answer's body of a request's."""
    listener = _listener()
    with _process(_run_upstream, listener, reply):
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"


@contextmanager
def pass_through(upstream_url: str) -> Iterator[tuple[str, int]]:
    """Run the bare pass-through in a process; yield its base URL and process id."""
    listener = _listener()
    with _process(_run_pass_through, listener, upstream_url) as process:
        assert process.pid is not None
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1", process.pid


def _run_upstream(listener: socket.socket, reply: Reply) -> None:
    uvloop.run(_serve_upstream(listener, reply))


def _run_pass_through(listener: socket.socket, upstream_url: str) -> None:
    uvloop.run(_serve_pass_through(listener, upstream_url))


@contextmanager
def _process(target: object, *arguments: object) -> Iterator[BaseProcess]:
    process = multiprocessing.get_context("fork").Process(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]
    process.start()
    try:
        yield process
    finally:
        process.terminate()
        process.join(5)


def _listener() -> socket.socket:
    opened = socket.socket()
    opened.bind(("127.0.0.1", 0))
    opened.listen(1024)
    opened.setblocking(False)
    return opened
