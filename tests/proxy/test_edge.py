"""The wall, over real sockets: one spelling of every request, bounded bodies, and errors in our shape."""

from __future__ import annotations

import asyncio
import gzip
import resource
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import brotli  # type: ignore[import-untyped]
import orjson
import pytest
from aiohttp import web
from backports import zstd
from structlog.testing import capture_logs

from detectors.errors import EdgeError
from proxy.edge import EdgeServer, read_body, read_json, read_target
from proxy.responses import error_response, json_response

LIMIT, IDLE, TOTAL, HEAD_IDLE = 1 << 20, 0.15, 0.75, 0.1
BODY = b'{"a": 1}'


@dataclass(frozen=True, slots=True)
class Reply:
    raw: bytes

    @property
    def status(self) -> int:
        return int(self.raw.split(b" ", 2)[1]) if self.raw else 0

    def json(self) -> dict[str, object]:
        answer: dict[str, object] = orjson.loads(self.raw.partition(b"\r\n\r\n")[2])
        return answer

    @property
    def code(self) -> object:
        error = self.json()["error"]
        assert isinstance(error, dict)
        return error["code"]


Ask = Callable[..., Awaitable[Reply]]


async def tell_what_was_read(request: web.BaseRequest) -> web.StreamResponse:
    try:
        target = read_target(request)
        body = await read_body(request, LIMIT, IDLE, TOTAL)
    except EdgeError as exc:
        return error_response(exc.status, exc.code, exc.message)
    if target.path == "/crash":
        raise ValueError("with a prompt in it")
    return json_response(200, {"path": target.path, "query": target.query, "body": body.decode("latin-1")})


@pytest.fixture
async def port() -> AsyncIterator[int]:
    server = EdgeServer(tell_what_was_read, head_idle=HEAD_IDLE, lingering_time=0.4)
    runner = web.ServerRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1]
    await runner.cleanup()


@pytest.fixture
def ask(port: int) -> Ask:
    """Send raw bytes and read until the server has answered and closed, or for a moment."""

    async def ask(raw: bytes, *more: bytes) -> Reply:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(raw)
        for piece in more:
            await asyncio.sleep(0.002)
            writer.write(piece)
        try:
            async with asyncio.timeout(5):
                return Reply(await reader.read())
        finally:
            writer.close()

    return ask


def post(*headers: str, body: bytes = BODY, target: str = "/v1/x", length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    lines = [f"POST {target} HTTP/1.1", "Host: h", "Connection: close", f"Content-Length: {size}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/v1/chat/completions", "/v1/chat/completions"),
        ("/openai/v1/models", "/v1/models"),
        ("/openrouter/v1/models", "/v1/models"),
        ("/openai/openai/v1/models", "/openai/v1/models"),
        ("/OpenAI/v1/models", "/OpenAI/v1/models"),
        ("/openai", "/openai"),
        ("/v1/models/", "/v1/models/"),
        ("/v1/models?key=sk-1&a=%2f", "/v1/models"),
    ],
)
async def test_a_target_has_one_normal_form_below_its_mount(ask: Ask, target: str, path: str) -> None:
    assert (await ask(post(target=target))).json()["path"] == path


@pytest.mark.parametrize(
    "target",
    [
        "/v1//chat/completions", "//v1/chat/completions", "/v1/./x", "/v1/../x", "/v1/%63hat", "/v1%2fx",
        "/v1/%2e%2e/x", "/v1/%252e", "/v1/x;a=b", "/v1\\x", "/v1/x#f", "http://h/v1/x", "/v1/x%00", "/.env",
    ],
)  # fmt: skip
async def test_every_other_spelling_of_a_path_is_not_found(ask: Ask, target: str) -> None:
    reply = await ask(post(target=target))

    assert (reply.status, reply.code) in {(404, "unknown_path"), (400, "invalid_http")}


@pytest.mark.parametrize("host", ["h/#@evil", "", "a b", "a,b", "h\\", "é", "h" * 300])
async def test_an_odd_host_is_refused(ask: Ask, host: str) -> None:
    reply = await ask(f"GET /v1/x HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())

    assert reply.status == 400


@pytest.mark.parametrize("host", ["h", "h:80", "[::1]:80", "a.b-c_d"])
async def test_an_ordinary_host_is_fine(ask: Ask, host: str) -> None:
    assert (await ask(f"GET /v1/x HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())).status == 200


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /v1/x HTTP/1.1\r\nConnection: close\r\n\r\n",
        b"GET /v1/x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /v1/x HTTP/9.9\r\nHost: a\r\n\r\n",
        b"GET /v1/x HTTP/1.1\nHost: a\n\n",
        b"GET /v1/x HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
        b"GET /v1/x HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
        b"GET /v1/x HTTP/1.1\r\nHost: a\r\nX : a\r\n\r\n",
        b"POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        b"POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: +2\r\n\r\n{}",
        b"POST /v1/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n",
        b"POST /v1/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\n{}\r\n0\r\n\r\n",
        b"GET /v1/x HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 65_536 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /v1/x HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 5000 + b"\r\n",
        b"POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: -2\r\n\r\n{}",
        b"POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 2, 2\r\n\r\n{}",
        b"POST /v1/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n{}",
        b"POST /v1/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n",
        b"POST /v1/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}\r\n0\r\n\r\n",
        b"POST /v1/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;a\nb\r\n{}\r\n0\r\n\r\n",
        b"GET /v1/x HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
        b"GET /v1/x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
    ],
)
async def test_what_is_not_clean_http_is_refused_and_the_connection_closed(ask: Ask, raw: bytes) -> None:
    with capture_logs() as logs:
        reply = await ask(raw)

    assert reply.status == 400
    assert reply.code == "invalid_http"
    assert all("exc_info" not in line and "exception" not in line for line in logs)


async def test_many_headers_that_are_large_together_are_too_large(ask: Ask) -> None:
    reply = await ask(post(*(f"X-{n}: {'y' * 640}" for n in range(100))))

    assert (reply.status, reply.code) == (431, "headers_too_large")


async def test_a_broken_chunk_is_refused_without_a_word_of_it(ask: Ask) -> None:
    head = b"POST /v1/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    with capture_logs() as logs:
        reply = await ask(head, b"5\r\nhello\r\nsecret\r\n")

    assert reply.status in {400, 408}
    assert b"secret" not in reply.raw
    assert "secret" not in str(logs)


@pytest.mark.parametrize("headers", [("Connection: Upgrade", "Upgrade: websocket"), ("Upgrade: tls/1.0",)])
async def test_protocol_upgrades_are_refused(ask: Ask, headers: tuple[str, ...]) -> None:
    assert (await ask(post(*headers))).code == "upgrade_refused"


async def test_an_offer_to_speak_h2c_is_ignored_and_its_body_is_read_like_any_other(ask: Ask) -> None:
    reply = await ask(post("Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"))

    assert reply.json()["body"] == BODY.decode()


@pytest.mark.parametrize("name", ["Authorization", "X-PromptShield-Key", "api-key", "x-api-key", "X-Goog-Api-Key"])
async def test_two_keys_of_a_kind_are_no_key(ask: Ask, name: str) -> None:
    reply = await ask(post(f"{name}: Bearer a", f"{name.lower()}: Bearer b"))

    assert (reply.status, reply.code) == (401, "invalid_api_key")


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("identity", BODY),
        ("gzip", gzip.compress(BODY, mtime=0)),
        ("GZIP ", gzip.compress(BODY, mtime=0)),
        ("gzip", gzip.compress(BODY[:3], mtime=0) + gzip.compress(BODY[3:], mtime=0)),
        ("deflate", zlib.compress(BODY)),
        ("deflate", raw_deflate(BODY)),
    ],
)
async def test_a_body_is_read_decoded_with_all_its_members(ask: Ask, coding: str, body: bytes) -> None:
    assert (await ask(post(f"Content-Encoding: {coding}", body=body))).json()["body"] == BODY.decode()


@pytest.mark.parametrize(
    "headers",
    [("gzip, gzip",), ("gzip", "gzip"), ("identity", "gzip"), ("x-gzip",), ("compress",), ("utf-8",), ("aes128gcm",)],
)
async def test_an_unknown_or_a_double_coding_is_unsupported(ask: Ask, headers: tuple[str, ...]) -> None:
    body = gzip.compress(gzip.compress(BODY, mtime=0), mtime=0)
    reply = await ask(post(*(f"Content-Encoding: {value}" for value in headers), body=body))

    assert (reply.status, reply.code) == (415, "unsupported_encoding")


BROTLI, ZSTD = brotli.compress(BODY), zstd.compress(BODY)


@pytest.mark.parametrize(("coding", "body"), [("br", BROTLI), ("BR", BROTLI), ("zstd", ZSTD), ("ZStd", ZSTD)])
async def test_a_body_in_a_younger_coding_is_read_too(ask: Ask, coding: str, body: bytes) -> None:
    assert (await ask(post(f"Content-Encoding: {coding}", body=body))).json()["body"] == BODY.decode()


@pytest.mark.parametrize(
    "kind",
    ["application/json; charset=utf-16", "text/plain;CHARSET = utf-7", 'a/b; x=y; charset="latin1"', "a; charset="],
)
async def test_a_body_under_a_wrong_charset_is_not_read(ask: Ask, kind: str) -> None:
    reply = await ask(post(f"Content-Type: {kind}"))

    assert (reply.status, reply.code) == (415, "unsupported_charset")


@pytest.mark.parametrize("kind", ["application/json", 'x/y; charset="UTF-8"', "x/y;charset=us-ascii", "x; boundary=a"])
async def test_a_body_under_an_ordinary_label_is_read(ask: Ask, kind: str) -> None:
    assert (await ask(post(f"Content-Type: {kind}"))).json()["body"] == BODY.decode()


async def test_a_mislabelled_body_is_refused_without_a_traceback(ask: Ask) -> None:
    with capture_logs() as logs:
        reply = await ask(post("Content-Encoding: gzip"))

    assert (reply.status, reply.code) == (400, "invalid_body")
    assert all("exc_info" not in line for line in logs)


@pytest.mark.parametrize("size", [LIMIT, LIMIT + 1])
async def test_a_body_may_be_as_long_as_the_limit_and_no_longer(ask: Ask, size: int) -> None:
    reply = await ask(post(body=b"a" * size))

    assert reply.status == (200 if size == LIMIT else 413)


def bomb(coding: str) -> bytes:
    """Return 200 MB of nothing, packed by the piece."""
    if coding == "gzip":
        return gzip.compress(b"\0" * (200 << 20), 1, mtime=0)
    pack = brotli.Compressor(quality=1).process if coding == "br" else zstd.ZstdCompressor(level=1).compress
    return b"".join(pack(bytes(1 << 20)) for _ in range(200))


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
async def test_a_compression_bomb_is_stopped_in_little_time_and_memory(ask: Ask, coding: str) -> None:
    packed = bomb(coding)
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    reply = await ask(post(f"Content-Encoding: {coding}", body=packed))

    assert (reply.status, reply.code) == (413, "request_too_large")
    assert time.process_time() - started < 5
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) < 64 << 10  # KiB


async def test_a_client_that_falls_silent_in_its_body_is_told_so(ask: Ask) -> None:
    started = time.perf_counter()
    reply = await ask(post(length=100))

    assert (reply.status, reply.code) == (408, "body_timeout")
    assert time.perf_counter() - started < 4


async def test_a_slow_body_is_read_as_long_as_something_arrives(ask: Ask) -> None:
    pieces = [BODY[i : i + 1] for i in range(len(BODY))]

    assert (await ask(post(body=b"", length=len(BODY)), *pieces)).json()["body"] == BODY.decode()


async def test_a_body_that_drips_has_an_end_all_the_same(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(post(body=b"", length=10_000))
    started = time.perf_counter()
    answered = asyncio.ensure_future(reader.readuntil(b"}}"))
    while not answered.done():
        writer.write(b" ")
        await asyncio.sleep(IDLE / 5)
    writer.close()

    assert b"body_timeout" in answered.result()
    assert TOTAL <= time.perf_counter() - started < 3


async def until_closed(reader: asyncio.StreamReader) -> bytes:
    """Return all that comes; what was still on its way to a server that has closed makes it answer by a reset."""
    said = b""
    try:
        while more := await reader.read(1 << 16):
            said += more
    except ConnectionResetError:
        pass
    return said


async def seconds_until_closed(port: int, *pieces: bytes, pause: float = 0.0) -> tuple[float, bytes]:
    """Send pieces with pauses between them; return how long the server kept the connection, and what it said."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    started = time.perf_counter()
    said = asyncio.ensure_future(until_closed(reader))
    for piece in pieces:
        if said.done():
            break
        writer.write(piece)
        await asyncio.sleep(pause)
    async with asyncio.timeout(5):
        answer = await said
    writer.close()
    return time.perf_counter() - started, answer


@pytest.mark.parametrize("start", [b"", b"G", b"GET /v1/x HTTP/1.1\r\nHost: h\r\nX-"])
async def test_a_connection_without_a_whole_head_is_closed(port: int, start: bytes) -> None:
    seconds, answer = await seconds_until_closed(port, start)

    assert HEAD_IDLE * 0.9 <= seconds < 3
    assert answer == b""


async def test_no_byte_of_a_head_buys_more_time_for_the_next(port: int) -> None:
    head = b"GET /v1/x HTTP/1.1\r\nHost: h\r\n" + b"X: y\r\n" * 50
    seconds, answer = await seconds_until_closed(
        port, *(head[n : n + 1] for n in range(len(head))), pause=HEAD_IDLE / 10
    )

    assert HEAD_IDLE * 0.9 <= seconds < HEAD_IDLE * 20  # all of it takes 28 times as long
    assert answer == b""


async def test_the_clock_of_a_second_head_starts_with_its_first_byte(port: int) -> None:
    first = b"GET /v1/x HTTP/1.1\r\nHost: h\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(first)
    await reader.readuntil(b'"body":""}')
    await asyncio.sleep(HEAD_IDLE * 2)  # at rest, which is allowed
    writer.write(first)
    await reader.readuntil(b'"body":""}')
    started = time.perf_counter()
    writer.write(b"GET ")
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()

    assert time.perf_counter() - started < 3


async def test_a_slow_body_is_not_taken_for_a_slow_head(ask: Ask) -> None:
    slow = [b" "] * 60
    started = time.perf_counter()
    reply = await ask(post(body=b"", length=len(slow) + len(BODY)), *slow, BODY)

    assert reply.json()["body"] == " " * len(slow) + BODY.decode()
    assert time.perf_counter() - started > HEAD_IDLE


async def test_one_byte_chunks_make_a_body(ask: Ask) -> None:
    head = b"POST /v1/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in BODY)

    assert (await ask(head + chunks + b"0\r\n\r\n")).json()["body"] == BODY.decode()


async def test_a_client_that_asks_before_it_sends_is_told_to_go_on(ask: Ask) -> None:
    reply = await ask(post("Expect: 100-continue", body=b"", length=len(BODY)), BODY)

    going_on, _, answer = reply.raw.partition(b"\r\n\r\n")
    assert going_on == b"HTTP/1.1 100 Continue"
    assert Reply(answer).json()["body"] == BODY.decode()


@pytest.mark.parametrize("expected", ["200-ok", "100-continue, x", "100-continue x"])
async def test_any_other_expectation_is_refused(ask: Ask, expected: str) -> None:
    assert (await ask(post(f"Expect: {expected}"))).code == "expectation_failed"


async def test_an_older_client_is_not_told_to_go_on_and_needs_no_host(ask: Ask) -> None:
    raw = post("Expect: 100-continue").replace(b"HTTP/1.1", b"HTTP/1.0").replace(b"Host: h\r\n", b"")
    reply = await ask(raw)

    assert reply.status == 200
    assert reply.json()["body"] == BODY.decode()


async def test_two_requests_on_one_connection_are_read_one_by_one(ask: Ask) -> None:
    first = post(target="/v1/one").replace(b"Connection: close\r\n", b"")
    reply = await ask(first + post(target="/v1/two"))

    assert reply.raw.count(b"HTTP/1.1 200") == 2
    assert reply.raw.index(b"/v1/one") < reply.raw.index(b"/v1/two")


async def test_what_a_handler_lets_fall_is_a_500_in_our_shape_and_one_log_line(ask: Ask) -> None:
    with capture_logs() as logs:
        reply = await ask(post(target="/crash"))

    assert (reply.status, reply.code) == (500, "internal_error")
    assert [line["error"] for line in logs] == ["ValueError"]
    assert "prompt" not in str(logs) + reply.raw.decode()


@pytest.mark.parametrize("body", [b"null", b"42", b'"hi"', b"[]", b"[{}]", b"", b"{", b"\xff", b"{}{}"])
def test_a_body_that_is_no_json_object_is_refused_with_the_place(body: bytes) -> None:
    with pytest.raises(EdgeError) as caught:
        read_json(body)

    assert (caught.value.status, caught.value.code) == (400, "invalid_json")


def test_a_json_object_is_read_whatever_its_label() -> None:
    assert read_json(b'\xef\xbb\xbf {"a": [1]} ') == {"a": [1]}
