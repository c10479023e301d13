"""Requests through the pool: what is reused, repeated, refused, verified and left behind."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
import subprocess
from pathlib import Path

import psutil
import pytest

from detectors.errors import UpstreamError
from proxy.pool.connection_pool import ConnectionPool, verified_tls
from proxy.settings import UpstreamSettings
from proxy.upstreams.upstream import UpstreamPool, UpstreamRequest
from tests.proxy.pool.scripted import OK, Call, ScriptedUpstream, eventually, says

pytestmark = pytest.mark.slow

POST = UpstreamRequest("POST", "/chat", {"X-A": "b"}, b'{"a":1}')
GET = UpstreamRequest("GET", "/models", {}, None)


async def fetch(pool: UpstreamPool, settings: UpstreamSettings, request: UpstreamRequest = POST) -> bytes:
    answer = await pool.send(settings, request)
    try:
        return await answer.read()
    finally:
        answer.close()


async def kind_of_failure(pool: UpstreamPool, settings: UpstreamSettings, request: UpstreamRequest = POST) -> str:
    with pytest.raises(UpstreamError) as caught:
        await fetch(pool, settings, request)
    assert caught.value.upstream == settings.name
    return caught.value.kind


async def test_a_request_arrives_as_it_was_meant(pool: ConnectionPool, upstream: ScriptedUpstream) -> None:
    assert await fetch(pool, upstream.settings()) == b"ok"
    call = upstream.calls[0]
    assert call.head.startswith(b"POST /v1/chat HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nX-A: b\r\n" % upstream.port)
    assert call.body == b'{"a":1}'


async def test_one_after_the_other_they_share_a_connection(pool: ConnectionPool, upstream: ScriptedUpstream) -> None:
    for path in ("/v1", "/v2"):
        for request in (POST, GET, POST):
            assert await fetch(pool, upstream.settings(path=path), request) == b"ok"
    assert upstream.accepted == 1


async def test_at_the_same_time_each_has_its_own_answer(pool: ConnectionPool, upstream: ScriptedUpstream) -> None:
    async def echo(call: Call) -> None:
        await asyncio.sleep(0)
        await call.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(call.body))
        await call.drip(call.body)

    upstream.script(echo)

    async def one(number: int) -> None:
        for turn in range(5):
            body = b"%d:%d" % (number, turn)
            assert await fetch(pool, upstream.settings(), UpstreamRequest("POST", "/", {}, body)) == body

    await asyncio.gather(*(one(number) for number in range(20)))
    assert upstream.accepted <= 20


@pytest.mark.parametrize("request_", [POST, GET], ids=["POST", "GET"])
async def test_a_connection_that_closed_while_it_rested_costs_nobody_a_request(
    pool: ConnectionPool, upstream: ScriptedUpstream, request_: UpstreamRequest
) -> None:
    await fetch(pool, upstream.settings())
    upstream.calls[0].hang_up_unseen()
    assert await fetch(pool, upstream.settings(), request_) == b"ok"
    assert upstream.accepted == 2


async def test_a_get_that_a_resting_connection_swallowed_is_sent_once_more(
    pool: ConnectionPool, upstream: ScriptedUpstream
) -> None:
    upstream.script(says(OK), says(b"", hang_up=True), says(OK))
    await fetch(pool, upstream.settings())
    assert await fetch(pool, upstream.settings(), GET) == b"ok"
    assert upstream.accepted == 2


async def test_but_only_once_more(pool: ConnectionPool, upstream: ScriptedUpstream) -> None:
    upstream.script(says(OK), says(b"", hang_up=True))
    await fetch(pool, upstream.settings())
    assert await kind_of_failure(pool, upstream.settings(), GET) == "reset"
    assert len(upstream.calls) == 3


@pytest.mark.parametrize("last_words", [b"", b"H"])
async def test_a_post_that_may_have_been_carried_out_is_not_repeated(
    pool: ConnectionPool, upstream: ScriptedUpstream, last_words: bytes
) -> None:
    upstream.script(says(OK), says(last_words, hang_up=True))
    await fetch(pool, upstream.settings())
    assert await kind_of_failure(pool, upstream.settings()) == "reset"
    assert len(upstream.calls) == 2


async def test_a_get_with_the_first_byte_of_an_answer_is_not_repeated(
    pool: ConnectionPool, upstream: ScriptedUpstream
) -> None:
    upstream.script(says(OK), says(b"H", hang_up=True))
    await fetch(pool, upstream.settings())
    assert await kind_of_failure(pool, upstream.settings(), GET) == "reset"
    assert len(upstream.calls) == 2


async def test_a_new_connection_that_fails_is_not_tried_again(pool: ConnectionPool, upstream: ScriptedUpstream) -> None:
    upstream.script(says(b"", hang_up=True))
    assert await kind_of_failure(pool, upstream.settings(), GET) == "reset"
    assert len(upstream.calls) == 1


async def test_a_second_answer_in_advance_is_never_anyones(pool: ConnectionPool, upstream: ScriptedUpstream) -> None:
    upstream.script(says(OK + OK.replace(b"ok", b"no")), says(OK))
    for _ in range(3):
        assert await fetch(pool, upstream.settings()) == b"ok"
    assert upstream.accepted == 2


async def test_a_redirect_is_an_answer(pool: ConnectionPool, upstream: ScriptedUpstream) -> None:
    upstream.script(says(b"HTTP/1.1 307 Away\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"))
    answer = await pool.send(upstream.settings(), POST)
    assert (answer.status, answer.headers["location"]) == (307, "http://169.254.169.254/")
    assert len(upstream.calls) == 1


@pytest.mark.parametrize(
    ("answer", "kind"), [(b"SSH-2.0-x\r\n\r\n", "protocol"), (b"HTTP/1.1 200 OK\r\nX", "reset"), (b"", "reset")]
)
async def test_what_is_no_answer_is_told_apart(
    pool: ConnectionPool, upstream: ScriptedUpstream, answer: bytes, kind: str
) -> None:
    upstream.script(says(answer, hang_up=True))
    assert await kind_of_failure(pool, upstream.settings()) == kind


async def test_silence_is_a_timeout(pool: ConnectionPool, upstream: ScriptedUpstream) -> None:
    upstream.script(lambda call: call.gone())
    assert await kind_of_failure(pool, upstream.settings(first_byte=0.02)) == "timeout"


async def test_nobody_there_is_a_failed_connect(pool: ConnectionPool) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        assert await kind_of_failure(pool, UpstreamSettings(name="nobody", base_url=url)) == "connect"
    nowhere = UpstreamSettings(name="nowhere", base_url=f"http://{'a' * 64}.invalid")
    assert await kind_of_failure(pool, nowhere) == "connect"


async def test_a_connect_that_takes_too_long_is_a_timeout(pool: ConnectionPool) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):  # fills the queue: the next handshake gets no answer
            settings = UpstreamSettings.model_validate(
                {"name": "full", "base_url": f"http://127.0.0.1:{port}", "timeouts": {"connect": 0.05}}
            )
            assert await kind_of_failure(pool, settings) == "timeout"


async def test_a_header_that_would_begin_another_is_refused_before_anything_is_sent(
    pool: ConnectionPool, upstream: ScriptedUpstream
) -> None:
    smuggled = UpstreamRequest("POST", "/", {"X-A": "b\r\nAuthorization: stolen"}, b"")
    with pytest.raises(UpstreamError) as caught:
        await pool.send(upstream.settings(), smuggled)
    assert (caught.value.kind, caught.value.sent) == ("unsendable", False)
    assert "stolen" not in f"{caught.value}{caught.value.__cause__}"
    assert upstream.accepted == 0


async def test_a_cancelled_request_leaves_no_socket_and_no_task(
    pool: ConnectionPool, upstream: ScriptedUpstream
) -> None:
    upstream.script(lambda call: call.gone())
    process = psutil.Process()
    before, tasks = process.num_fds(), len(asyncio.all_tasks())
    for turns in range(24):
        sending = asyncio.ensure_future(fetch(pool, upstream.settings()))
        for _ in range(turns):
            await asyncio.sleep(0)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    gc.collect()
    await eventually(lambda: process.num_fds() <= before and len(asyncio.all_tasks()) <= tasks)


async def test_after_close_nothing_is_sent(upstream: ScriptedUpstream) -> None:
    pool = ConnectionPool()
    await fetch(pool, upstream.settings())
    await pool.close()
    await pool.close()
    assert await kind_of_failure(pool, upstream.settings()) == "connect"


async def test_close_ends_requests_under_way(upstream: ScriptedUpstream) -> None:
    upstream.script(lambda call: call.gone())
    pool = ConnectionPool()
    sending = asyncio.ensure_future(kind_of_failure(pool, upstream.settings()))
    await eventually(lambda: bool(upstream.calls))
    await pool.close()
    assert await asyncio.wait_for(sending, 1) == "reset"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost that nobody but its file vouches for, with its key."""
    file = tmp_path_factory.mktemp("tls") / "localhost.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(file), "-out", f"{file}.crt"]
    subprocess.run([*command.split(), *names], check=True, capture_output=True)
    file.write_text(file.read_text() + Path(f"{file}.crt").read_text())
    return file


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


async def test_over_tls_with_a_known_certificate_all_is_the_same(tls: ssl.SSLContext, certificate: Path) -> None:
    seen: list[str | None] = []
    tls.sni_callback = lambda _, name, __: seen.append(name)
    trusting = verified_tls()
    trusting.load_verify_locations(certificate)
    pool = ConnectionPool(trusting)
    async with ScriptedUpstream(tls=tls) as upstream:
        large = bytes(3 << 20)
        upstream.script(says(OK), says(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(large) + large), says(OK))
        assert await fetch(pool, upstream.settings("localhost")) == b"ok"
        assert await fetch(pool, upstream.settings("localhost")) == large
        assert await fetch(pool, upstream.settings("localhost")) == b"ok"
        protocol = upstream.calls[0].writer.get_extra_info("ssl_object").selected_alpn_protocol()
        assert (upstream.accepted, seen, protocol) == (1, ["localhost"], "http/1.1")
        await pool.close()


async def test_over_tls_an_unknown_certificate_or_another_name_is_a_failed_connect(
    pool: ConnectionPool, tls: ssl.SSLContext, certificate: Path
) -> None:
    async with ScriptedUpstream(tls=tls) as upstream:
        assert await kind_of_failure(pool, upstream.settings("localhost")) == "connect"
        trusting = verified_tls()
        trusting.load_verify_locations(certificate)
        other = ConnectionPool(trusting)
        assert await kind_of_failure(other, upstream.settings("127.0.0.1")) == "connect"
        await other.close()
        assert upstream.calls == []


async def test_over_tls_closing_half_way_is_felt_at_once(tls: ssl.SSLContext, certificate: Path) -> None:
    gone = asyncio.Event()

    async def script(call: Call) -> None:
        await call.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
        try:
            await call.gone()
        finally:
            gone.set()

    trusting = verified_tls()
    trusting.load_verify_locations(certificate)
    pool = ConnectionPool(trusting)
    async with ScriptedUpstream(scripts=[script], tls=tls) as upstream:
        answer = await pool.send(upstream.settings("localhost"), POST)
        answer.close()
        await asyncio.wait_for(gone.wait(), 1)
        await pool.close()
