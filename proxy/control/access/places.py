"""Where a request to the control plane comes from, and where an answer may send a browser."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from proxy.control.settings import ControlSettings

HOME: Final = "/console"
_NEXT: Final = re.compile(r"/(?:console|account)(?:[/?][!-\[\]-~]*)?")  # no backslash: browsers read it as a slash
_AGENT: Final = "User-Agent"
Networks = Sequence[IPv4Network | IPv6Network]


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody signs in from: an address, and what their program calls itself."""

    network: str
    agent: str

    @property
    def neighbourhood(self) -> str:
        """What tries are counted by: one address of IPv4, and of IPv6 the /64 that its owner may pick from."""
        try:
            address = ip_address(self.network)
        except ValueError:
            return self.network
        if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
            return str(ip_network((address, 64), strict=False))
        return self.network


def place_of(settings: ControlSettings, request: web.Request) -> Place:
    return Place(network_of(settings, request), request.headers.get(_AGENT, ""))


def network_of(settings: ControlSettings, request: web.Request) -> str:
    """Return the client's address: the nearest one that is not of a proxy of ours, or the connection's own."""
    hops = [request.remote or ""]
    if _is_of(hops[0], settings.proxies):
        hops += [hop.strip() for line in request.headers.getall("X-Forwarded-For", []) for hop in line.split(",")][::-1]
    nearest = ""
    for hop in map(_address_in, hops):
        if not _is_address(hop):
            return nearest  # whoever stands behind what nobody can read may have written anything
        nearest = hop
        if not _is_of(hop, settings.proxies):
            return hop
    return nearest


def _address_in(hop: str) -> str:
    """Return the address of a hop that may have a port: `192.0.2.1:4711`, `[2001:db8::1]:4711`."""
    bracketed = re.fullmatch(r"\[([^\[\]]+)\](?::\d{1,5})?", hop)
    if bracketed is not None:
        return bracketed[1]
    return hop.rpartition(":")[0] if re.fullmatch(r"[\d.]+:\d{1,5}", hop) else hop


def is_secure(settings: ControlSettings, request: web.Request) -> bool:
    """Tell whether the browser speaks TLS, to us or to what is in front of us. Who lies about that harms himself."""
    forwarded = request.headers.get("X-Forwarded-Proto", "").lower() == "https"
    return request.secure or forwarded or settings.url.startswith("https://")


def is_our_page(settings: ControlSettings, request: web.Request) -> bool:
    """Tell whether a request that changes something was made by a page of ours, as far as the browser says."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        return False
    origin = request.headers.get("Origin")
    if origin is None:
        return True  # no browser: it always says so with what is not GET
    if settings.url:
        return origin.lower() in {origin_of(settings.url), f"http://{request.host}".lower()} and origin != "null"
    return urlsplit(origin).netloc.lower() == request.host.lower()


def origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def way_back(wanted: str) -> str:
    """Return the page of ours that a sign-in was on the way to; for any other address the console's first page."""
    return wanted if len(wanted) <= 2000 and _NEXT.fullmatch(wanted) else HOME


def _is_of(hop: str, networks: Networks) -> bool:
    try:
        address = ip_address(hop)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address.version == network.version and address in network for network in networks)


def _is_address(hop: str) -> bool:
    try:
        ip_address(hop)
    except ValueError:
        return False
    return True
