"""Towards the LLM service: a Protocol, and the one that goes through aiohttp's ClientSession."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import aiohttp

from detectors.errors import UpstreamError
from proxy.settings import UpstreamSettings

LARGEST_ANSWER: Final = 32 << 20


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None


class UpstreamAnswer(Protocol):
    """An answer whose status and headers have arrived. Whoever has it must `close` it, read to the end or not."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    async def read(self) -> bytes:
        """Return the whole body. Raises UpstreamError, also beyond 32 MiB."""

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives. Raises UpstreamError."""

    def close(self) -> None: ...


class UpstreamPool(Protocol):
    async def send(self, upstream: UpstreamSettings, request: UpstreamRequest) -> UpstreamAnswer:
        """Send a request and wait for the answer's head. Raises UpstreamError."""

    async def close(self) -> None: ...


class Upstreams:
    """Which upstream serves a model: of those whose patterns fit, the one with the lowest priority number."""

    def __init__(self, settings: Sequence[UpstreamSettings]) -> None:
        self.all = tuple(sorted(settings, key=lambda upstream: upstream.priority))

    def serving(self, model: str) -> UpstreamSettings | None:
        return next((upstream for upstream in self.all if upstream.serves(model)), None)


class SessionPool:
    """Upstreams over one ClientSession: keep-alive connections, no cookies, no redirects, no proxy from outside."""

    def __init__(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=60),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Accept", "Content-Type"),
        )

    async def send(self, upstream: UpstreamSettings, request: UpstreamRequest) -> UpstreamAnswer:
        limits = upstream.timeouts
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=limits.connect, sock_read=limits.between_chunks)
        try:
            async with asyncio.timeout(limits.connect + limits.first_byte):
                response = await self._session.request(
                    request.method,
                    f"{upstream.base_url}{request.path}",
                    data=request.body,
                    headers=request.headers,
                    timeout=timeout,
                    allow_redirects=False,
                )
        except TimeoutError as exc:
            raise UpstreamError(upstream.name, "timeout") from exc
        except aiohttp.ClientConnectorError as exc:
            raise UpstreamError(upstream.name, "connect") from exc
        except (aiohttp.ClientError, OSError, ValueError) as exc:
            raise UpstreamError(upstream.name, "protocol") from exc
        return _SessionAnswer(upstream.name, response)

    async def close(self) -> None:
        await self._session.close()


class _SessionAnswer:
    def __init__(self, upstream: str, response: aiohttp.ClientResponse) -> None:
        self._upstream, self._response = upstream, response

    @property
    def status(self) -> int:
        return self._response.status

    @property
    def headers(self) -> Mapping[str, str]:
        return self._response.headers

    async def read(self) -> bytes:
        parts: list[bytes] = []
        size = 0
        async for chunk in self.chunks():
            parts.append(chunk)
            size += len(chunk)
            if size > LARGEST_ANSWER:
                self.close()
                raise UpstreamError(self._upstream, "too_large")
        return b"".join(parts)

    async def chunks(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._response.content.iter_any():
                yield chunk
        except TimeoutError as exc:
            raise UpstreamError(self._upstream, "timeout") from exc
        except (aiohttp.ClientError, OSError) as exc:
            raise UpstreamError(self._upstream, "reset") from exc

    def close(self) -> None:
        # Back to the pool if it was read to its end, else cut: nobody pays for text that nobody gets.
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()
