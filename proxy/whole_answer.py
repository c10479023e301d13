"""A whole answer leaves in one piece: head and body in one write, without the steps that only others need."""

from __future__ import annotations

import time
from email.utils import formatdate
from functools import lru_cache

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter


class WholeAnswer(web.Response):
    """aiohttp's response for a body of bytes, written at a quarter of its cost where nothing is special about it.

    Cookies, compression and chunks are not for it.
    """

    _asked: web.BaseRequest | None = None

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Take in whom to answer; the head waits for the body. Raises what aiohttp raises."""
        if request.version != HttpVersion11 or request.method == "HEAD" or self.status in {204, 304}:
            return await super().prepare(request)
        self._asked = request
        if self._keep_alive is None:
            self._keep_alive = request.keep_alive
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Send all of it. Raises ConnectionError if nobody is there any more, ValueError for a header of two lines."""
        if self._asked is None:
            await super().write_eof(data)
        elif not self._eof_sent:
            assert isinstance(self.body, bytes)  # noqa: S101 - made so
            await self._asked.writer.write(self._head(len(self.body)) + self.body)
            self._eof_sent = True

    def _head(self, size: int) -> bytes:
        lines = [f"HTTP/1.1 {self.status} {self.reason}", *[f"{name}: {value}" for name, value in self.headers.items()]]
        lines += [f"Content-Length: {size}", f"Date: {_date(int(time.time()))}"]
        if not self._keep_alive:
            lines.append("Connection: close")
        head = "\r\n".join(lines)
        if not head.count("\r") == head.count("\n") == len(lines) - 1:
            raise ValueError("a header holds a line break")
        return f"{head}\r\n\r\n".encode()


@lru_cache(maxsize=2)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)
