"""The UpstreamPool of the hot path: a request goes out on a resting connection, or on a new one."""

from __future__ import annotations

import asyncio
import ssl
from typing import Final

from detectors.errors import UpstreamError
from proxy.pool.answer import PooledAnswer
from proxy.pool.answer_reader import AnswerReader
from proxy.pool.connection import Connection
from proxy.pool.connections import IDLE_SECONDS, Connections
from proxy.pool.deadline import Allowance
from proxy.pool.endpoint import Endpoint
from proxy.pool.request_bytes import request_bytes
from proxy.settings import UpstreamSettings
from proxy.upstreams.upstream import UpstreamRequest

_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})  # RFC 9110, 9.2.2


def verified_tls() -> ssl.SSLContext:
    """Return the context of https upstreams: the system's trust store, certificate and name verified, HTTP/1.1 only."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


class ConnectionPool:
    """Upstreams over kept-alive connections. No cookies, no redirects followed, no proxy taken from the environment.

    `tls` is the context of https upstreams, by default `verified_tls()`.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls or verified_tls()
        self._routes: dict[str, tuple[Endpoint, Connections]] = {}
        self._connections: dict[tuple[bool, str, int], Connections] = {}

    async def send(self, upstream: UpstreamSettings, request: UpstreamRequest) -> PooledAnswer:
        """Send a request and wait for the answer's head. Raises UpstreamError."""
        try:
            endpoint, connections = self._route(upstream.base_url)
            data = request_bytes(endpoint, request)
        except ValueError as exc:
            raise UpstreamError(upstream.name, "unsendable", sent=False) from exc
        timeouts = upstream.timeouts
        allowance = Allowance(timeouts.total)
        connection, reader = connections.take(), AnswerReader(request.method)
        if connection is not None:
            await connection.ask(data, reader, allowance.at_most(timeouts.first_byte))
        if connection is None or _may_repeat(request, reader):
            connection, reader = await _connect(upstream, connections, allowance), AnswerReader(request.method)
            await connection.ask(data, reader, allowance.at_most(timeouts.first_byte))
        if reader.failure is not None or reader.headers is None:
            raise UpstreamError(upstream.name, reader.failure or "protocol")
        return PooledAnswer(upstream, connection, reader, reader.headers, allowance)

    async def close(self) -> None:
        """Cut every connection, also those at work."""
        for connections in self._connections.values():
            await connections.close()

    def _route(self, base_url: str) -> tuple[Endpoint, Connections]:
        route = self._routes.get(base_url)
        if route is None:
            endpoint = Endpoint.parse(base_url)
            key = (endpoint.tls, endpoint.host, endpoint.port)
            if key not in self._connections:
                self._connections[key] = Connections(endpoint, self._tls, IDLE_SECONDS)
            route = self._routes[base_url] = (endpoint, self._connections[key])
        return route


async def _connect(upstream: UpstreamSettings, connections: Connections, allowance: Allowance) -> Connection:
    try:
        async with asyncio.timeout(allowance.at_most(upstream.timeouts.connect)):
            return await connections.connect()
    except TimeoutError as exc:
        raise UpstreamError(upstream.name, "timeout", sent=False) from exc
    except (OSError, ValueError) as exc:
        raise UpstreamError(upstream.name, "connect", sent=False) from exc


def _may_repeat(request: UpstreamRequest, reader: AnswerReader) -> bool:
    """Whether a request that a resting connection swallowed may go out once more, on a new one.

    A POST may have been carried out and paid for although no byte came back, so it is not repeated. It need not be:
    a connection that the upstream had closed is seen before anything is written on it (`Connections.take`).
    """
    return reader.failure == "reset" and not reader.touched and request.method in _IDEMPOTENT
