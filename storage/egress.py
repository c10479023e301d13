"""Asking addresses that somebody else wrote down: resolved once, checked, and connected to as checked."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from aiohttp import (
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    TCPConnector,
    ThreadedResolver,
)

from detectors.errors import UnavailableError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
_ANSWER: Final = 64 << 10  # bytes of an answer that are read, so that its connection can be used again

# The IANA special-purpose registries (RFC 6890 and its updates), multicast, and what answers for a cloud's metadata
# at a public address. What tunnels IPv4 through IPv6 could name any of the others.
_REFUSED: Final = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
    )
)  # fmt: skip
_PUBLIC_IPV6: Final = IPv6Network("2000::/3")


@dataclass(frozen=True, slots=True)
class Destination:
    """`allowed` networks may be private, and only there plain HTTP is spoken; `timeout` is for one whole call."""

    url: str
    allowed: tuple[Network, ...] = ()
    ca_file: Path | None = None
    timeout: float = 10.0


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    retry_after: float | None  # seconds, if the other side said so as a number


def is_refused(address: str, allowed: Sequence[Network] = ()) -> bool:
    """Return whether nobody may be sent there: all that is not the public internet, unless it is `allowed`."""
    parsed = _without_disguise(address)
    if _is_within(parsed, allowed):
        return False
    if isinstance(parsed, IPv6Address) and parsed not in _PUBLIC_IPV6:
        return True
    return _is_within(parsed, _REFUSED)


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer with as much of its body as was wanted; `complete` is False where there was more."""

    status: int
    content_type: str
    body: bytes
    complete: bool


class Egress:
    """Posts to one destination. Follows no redirect, keeps no cookie, uses no proxy of the environment."""

    def __init__(self, destination: Destination, connections: int) -> None:
        self._destination, self._connections = destination, connections
        self._session: ClientSession | None = None

    async def post(self, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Return what came back, whatever it says. Raises UnavailableError if nothing did; it names the host only."""
        async with self._answer("POST", self._destination.url, headers, body) as response:
            await _read_to_the_end(response)
            return Reply(response.status, _seconds(response.headers.get("Retry-After")))

    async def fetch(self, path: str, body: bytes, headers: Mapping[str, str], most: int) -> Fetched:
        """As `post`, to `path` below the destination, with at most `most` bytes of the answer's body."""
        async with self._answer("POST", self._destination.url + path, headers, body) as response:
            return await _fetched(response, most)

    async def get(self, headers: Mapping[str, str], most: int) -> Fetched:
        """Read what is there, at most `most` bytes of it. Raises UnavailableError; it names the host only."""
        async with self._answer("GET", self._destination.url, headers) as response:
            return await _fetched(response, most)

    async def close(self) -> None:
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    @asynccontextmanager
    async def _answer(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> AsyncIterator[ClientResponse]:
        try:
            async with self._opened().request(method, url, data=body, headers=headers, allow_redirects=False) as given:
                yield given
        except (ClientError, TimeoutError, OSError) as exc:
            host = urlsplit(self._destination.url).hostname
            raise UnavailableError(f"{host} cannot be reached: {type(exc).__name__}") from exc

    def _opened(self) -> ClientSession:
        if self._session is None:
            # Checked where the socket is made: no name is resolved twice, and a literal address is not passed over.
            connector = TCPConnector(
                limit=self._connections,
                resolver=ThreadedResolver(),  # the system's, with its hosts file
                use_dns_cache=False,
                socket_factory=self._socket,
                ssl=ssl.create_default_context(cafile=self._destination.ca_file) if self._is_secret else True,
            )
            self._session = ClientSession(
                connector=connector,
                timeout=ClientTimeout(total=self._destination.timeout),
                cookie_jar=DummyCookieJar(),
                auto_decompress=False,
            )
        return self._session

    @property
    def _is_secret(self) -> bool:
        return urlsplit(self._destination.url).scheme != "http"

    def _socket(self, address: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, (host, *_) = address
        allowed = self._destination.allowed
        if is_refused(host, allowed) or (not self._is_secret and not _is_within(_without_disguise(host), allowed)):
            raise PermissionError("the address lies in a network that is not allowed")
        return socket.socket(family, kind, protocol)


def _without_disguise(address: str) -> Address:
    parsed = ip_address(address.partition("%")[0])
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped
    return parsed


def _is_within(address: Address, networks: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


async def _read_to_the_end(response: ClientResponse) -> None:
    """A longer answer than we care for costs its connection: aiohttp closes what is not read."""
    size = 0
    while size < _ANSWER and (chunk := await response.content.readany()):
        size += len(chunk)


async def _fetched(response: ClientResponse, most: int) -> Fetched:
    content = await _read_at_most(response, most + 1)
    return Fetched(response.status, response.headers.get("Content-Type", ""), content[:most], len(content) <= most)


async def _read_at_most(response: ClientResponse, most: int) -> bytes:
    content = bytearray()
    while len(content) < most and (chunk := await response.content.readany()):
        content += chunk
    return bytes(content[:most])


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isascii() and text.isdecimal() and len(text) < 9 else None
