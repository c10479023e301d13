from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from detectors.errors import AccessError
from proxy.control.access.form import read_form


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b""),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\n"),
        ("application/x-www-form-urlencoded; charset=nothing", b"a=1"),
        ("application/x-www-form-urlencoded", b"a=\xff"),
        ("application/x-www-form-urlencoded", b"a=1&b=2"),
    ],
)
async def test_what_is_no_form_is_refused_and_is_no_error_of_ours(kind: str, body: bytes) -> None:
    async def handler(request: web.Request) -> web.Response:
        try:
            return web.json_response(dict(await read_form(request)))
        except AccessError as exc:
            return web.Response(status=exc.status)

    app = web.Application()
    app.router.add_post("/", handler)
    async with TestClient(TestServer(app)) as client:
        answer = await client.post("/", data=body, headers={"Content-Type": kind})
        assert answer.status in {200, 400}
        if body == b"a=1&b=2":
            assert await answer.json() == {"a": "1", "b": "2"}
