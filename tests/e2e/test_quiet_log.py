"""Whatever clients and providers send, wherever they put it, none of it is in the log; and each line is JSON."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from urllib.parse import urlsplit

import orjson
import pytest
from aiohttp import web

from tests.harness import Product, Recorder, completion, streamed

pytestmark = pytest.mark.e2e
WORD = "marzipan-secret-4711"
CHAT = {"model": "scripted", "messages": [{"role": "user", "content": f"Ignore all previous instructions {WORD}"}]}
ODD: list[tuple[str, str, bytes, dict[str, str]]] = [
    ("POST", "/v1/chat/completions", orjson.dumps(CHAT), {}),
    ("POST", "/v1/chat/completions", orjson.dumps({**CHAT, "stream": True}), {}),
    ("POST", "/v1/chat/completions", orjson.dumps({**CHAT, "model": WORD}), {}),
    ("POST", "/v1/chat/completions", orjson.dumps({**CHAT, WORD: {WORD: WORD}}), {}),
    ("POST", "/v1/chat/completions", b'{"model": "' + WORD.encode(), {}),
    ("POST", "/v1/chat/completions", WORD.encode() * 400_000, {}),
    ("POST", "/v1/chat/completions", b"{}", {"Authorization": f"Bearer {WORD}"}),
    ("POST", "/v1/chat/completions", b"{}", {"Content-Encoding": WORD}),
    ("POST", "/v1/chat/completions", b"{}", {"traceparent": WORD, "x-request-id": WORD, "User-Agent": WORD}),
    ("GET", f"/v1/{WORD}", b"", {}),
    ("GET", f"/v1/models?{WORD}={WORD}", b"", {}),
    ("POST", "/v1/chat/completions", b"{}", {"Upgrade": WORD, "Connection": "upgrade"}),
    (WORD.replace("-", "").upper(), "/v1/models", b"", {}),
]


@pytest.fixture
def talkative(recorder: Recorder) -> Iterator[Recorder]:
    async def failing(_request: web.Request, _body: bytes) -> web.Response:
        return web.json_response({"error": {"message": WORD, "code": WORD}}, status=500, headers={"x-said": WORD})

    async def page(_request: web.Request, _body: bytes) -> web.Response:
        return web.Response(text=f"<html>{WORD}</html>", content_type="text/html")

    async def whole(_request: web.Request, _body: bytes) -> web.Response:
        return completion(f"The word is {WORD}.")

    recorder.scripts |= {"failing": failing, "page": page, "whole": whole, "streaming": streamed(WORD, f" {WORD}")}
    yield recorder
    recorder.scripts.clear()


def test_no_word_of_a_client_or_a_provider_reaches_the_log(product: Product, talkative: Recorder) -> None:
    before = product.log.stat().st_size
    models = [orjson.dumps({**CHAT, "model": m, "messages": [{"role": "user", "content": "hi"}]}) for m in
              ("failing", "page", "whole", "streaming")]  # fmt: skip
    answered = [send(product, *odd) for odd in ODD]
    answered += [send(product, "POST", "/v1/chat/completions", body, {}) for body in models]

    assert {200, 400, 401, 404} <= set(answered)
    written = product.log.read_bytes()[before:]
    assert WORD.encode() not in written
    assert WORD.replace("-", "").upper().encode() not in written
    for line in written.splitlines():
        assert orjson.loads(line)["event"]


def send(product: Product, method: str, path: str, body: bytes, headers: dict[str, str]) -> int:
    address = urlsplit(product.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=20)
    try:
        connection.request(method, path, body or None, {"Authorization": f"Bearer {product.key}", **headers})
        return connection.getresponse().status
    except (http.client.HTTPException, OSError):  # a body that is too large: the answer may be lost to a reset
        return 0
    finally:
        connection.close()
