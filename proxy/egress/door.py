"""The data plane's side of egress mode: what came by our own HTTP proxy says so, and to which host it was going."""

from __future__ import annotations

import asyncio
import re
import secrets
import socket
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv6Address, ip_address
from typing import Final

from aiohttp import web

from detectors.errors import EdgeError, IdentityError
from proxy.codec import Headers
from proxy.edge import hand_over
from proxy.egress.connections import CONNECTION, HandedOver
from proxy.egress.settings import EgressHost, EgressSettings
from proxy.identity import OUR_HEADER, KeyDirectory
from proxy.responses import json_response
from proxy.settings import UpstreamSettings
from proxy.telemetry.metrics import WorkerMetrics
from storage.egress import Network, is_refused

HEADER: Final = "x-promptshield-egress"  # `<host> <token>`
CLIENT: Final = "x-promptshield-egress-client"  # its address
IDENTITY: Final = "/egress/identity"
COUNTS: Final = "/egress/counts"
ADDRESS: Final = "/egress/address"
_PLACE: Final = re.compile(r"([^\s\x00-\x1f]{1,253}) ([0-9]{1,5})")
# Apart from what journals and policies are written and read by: a name server may take its time.
_NAMES: Final = ThreadPoolExecutor(32, thread_name_prefix="names")
_PATIENCE: Final = 4.0  # seconds for a name server
_NAMES_AT_ONCE: Final = 4  # of one client: names that nobody answers for must not stop everybody else's
_COUNTED: Final = re.compile(r"(read|untouched|refused|distrusted)=([0-9]{1,9})")


@dataclass(frozen=True, slots=True)
class Door:
    """Who may say that an exchange came by the proxy, which upstream each host is, and where others may be.

    `own` are the ports where we ourselves listen: nobody is sent there, whatever network is allowed.
    """

    token: str
    hosts: Mapping[str, EgressHost]
    upstreams: Mapping[str, UpstreamSettings]
    allowed: tuple[Network, ...] = ()
    own: frozenset[int] = frozenset()
    asking: Counter[str] = field(default_factory=Counter)  # clients for whom a name is being looked up

    def asked(self, client: str) -> None:
        """Note that a name has been looked up, however it ended."""
        self.asking.subtract([client])
        if not self.asking[client]:
            del self.asking[client]

    def destination(self, headers: Headers) -> UpstreamSettings | None:
        """Return where an exchange was going, None where it did not come this way. Raises EdgeError 401."""
        said = headers.get(HEADER)
        if said is None:
            return None
        host, _, token = said.partition(" ")
        upstream = self.upstreams.get(host)
        if upstream is None or not secrets.compare_digest(
            token.encode("utf-8", "surrogateescape"), self.token.encode()
        ):
            raise EdgeError(401, "invalid_egress_token", "This header is for our own proxy.")
        return upstream


def client_of(headers: Headers) -> str:
    """Return the address of the client that our proxy speaks for, empty where it says none."""
    said = headers.get(CLIENT, "")
    try:
        address = ip_address(said.partition("%")[0])
    except ValueError:
        return ""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def open_door(token: str, settings: EgressSettings, own: Iterable[int] = ()) -> Door:
    upstreams = {host: _upstream(host, read) for host, read in settings.read.items()}
    return Door(token, settings.read, upstreams, settings.allow_networks, frozenset(own))


def _upstream(host: str, settings: EgressHost) -> UpstreamSettings:
    name = f"egress-{host.replace('.', '-')}"[:39].rstrip("-")
    return UpstreamSettings(name=name, dialect=settings.dialect, base_url=settings.base_url)


async def answer_ours(
    door: Door, keys: KeyDirectory, metrics: WorkerMetrics, request: web.BaseRequest
) -> web.Response | None:
    """Answer what our proxy asks and tells for itself; None for an exchange on a connection that it handed over, whose
    path begins with a mount. Raises EdgeError.
    """
    path, headers = request.raw_path, request.headers
    if path == CONNECTION:
        return await _take_over(door, keys, request)
    if path == IDENTITY:
        return await _introduce(keys, headers)
    if path == ADDRESS:
        return await _locate(door, headers)
    return _count(metrics, headers) if path == COUNTS else None


async def _introduce(keys: KeyDirectory, headers: Headers) -> web.Response:
    """Tell whether a key is somebody's: 204, 401, or 503 where nobody can tell."""
    try:
        await keys.identify(headers.get(OUR_HEADER, ""))
    except IdentityError as exc:
        return json_response(503 if exc.unavailable else 401, {})
    return web.Response(status=204)


async def _take_over(door: Door, keys: KeyDirectory, request: web.BaseRequest) -> web.Response:
    """Take what follows on this connection for what the proxy's client says to the host: 204, else as `_introduce`."""
    answer = await _introduce(keys, request.headers)
    if answer.status == 204:
        said = tuple((name, request.headers.get(name, "")) for name in (OUR_HEADER, HEADER, CLIENT))
        hand_over(request, HandedOver(door.hosts[request.headers[HEADER].partition(" ")[0]], said))
    else:
        answer.force_close()
    return answer


async def _locate(door: Door, headers: Headers) -> web.Response:
    """Tell the address of a host that is not read, `<host> <port>`: 200 and text, 403 where nobody may be sent, or 404.

    Names are looked up here, once: who is connected to is who was checked.
    """
    place = _PLACE.fullmatch(headers.get("x-promptshield-egress-place", ""))
    if place is None:
        return json_response(404, {})
    try:
        addresses = [str(ip_address(place[1].strip("[]").partition("%")[0]))]
    except ValueError:
        addresses = await _looked_up(door, place[1], int(place[2]), client_of(headers))
    allowed = [address for address in addresses if not _is_refused(door, address, int(place[2]))]
    status = 403 if addresses else 404
    return web.Response(text=allowed[0]) if allowed else json_response(status, {})


async def _looked_up(door: Door, host: str, port: int, client: str) -> list[str]:
    """Return a name's addresses, none where nobody answers or its client has asked for too many that nobody answers."""
    if door.asking[client] >= _NAMES_AT_ONCE:
        return []
    door.asking[client] += 1
    looking = _NAMES.submit(partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM))
    # Until the thread is free again, however long ago anybody stopped waiting.
    loop = asyncio.get_running_loop()
    looking.add_done_callback(lambda _: loop.call_soon_threadsafe(door.asked, client))
    try:
        async with asyncio.timeout(_PATIENCE):
            found = await asyncio.shield(asyncio.wrap_future(looking))
    except (OSError, TimeoutError, UnicodeError, OverflowError):
        return []
    return [str(at[0]) for *_, at in found]


def _is_refused(door: Door, address: str, port: int) -> bool:
    ourselves = port in door.own and is_refused(address)  # whatever else listens at such a port on the internet
    return ourselves or is_refused(address, door.allowed)


def _count(metrics: WorkerMetrics, headers: Headers) -> web.Response:
    """Take in what our proxy saw pass since it last said so: `read=3,untouched=1`. Raises EdgeError 400."""
    said = [_COUNTED.fullmatch(item) for item in headers.get("x-promptshield-egress-counts", "").split(",")]
    known = [item for item in said if item is not None]
    if len(known) < len(said):
        raise EdgeError(400, "invalid_counts", "These are no counts of our own proxy.")
    for item in known:
        metrics.count("promptshield_egress_connections_total", (item[1],), int(item[2]))
    return web.Response(status=204)
