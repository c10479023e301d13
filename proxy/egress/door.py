"""The data plane's side of egress mode: what came by our own HTTP proxy says so, and to which host it was going."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from detectors.errors import EdgeError, IdentityError
from proxy.codec import Headers
from proxy.egress.settings import EgressHost
from proxy.identity import OUR_HEADER, KeyDirectory
from proxy.metrics import WorkerMetrics
from proxy.responses import json_response
from proxy.settings import UpstreamSettings

HEADER: Final = "x-promptshield-egress"  # `<host> <token>`
IDENTITY: Final = "/egress/identity"
COUNTS: Final = "/egress/counts"
_COUNTED: Final = re.compile(r"(read|untouched|refused|distrusted)=([0-9]{1,9})")


@dataclass(frozen=True, slots=True)
class Door:
    """Who may say that an exchange came by the proxy, and the upstream that each of its hosts is."""

    token: str
    upstreams: Mapping[str, UpstreamSettings]

    def destination(self, headers: Headers) -> UpstreamSettings | None:
        """Return where an exchange was going, None where it did not come this way. Raises EdgeError 401."""
        said = headers.get(HEADER)
        if said is None:
            return None
        host, _, token = said.partition(" ")
        upstream = self.upstreams.get(host)
        if upstream is None or not secrets.compare_digest(token.encode(), self.token.encode()):
            raise EdgeError(401, "invalid_egress_token", "This header is for our own proxy.")
        return upstream


def open_door(token: str, hosts: Mapping[str, EgressHost]) -> Door:
    return Door(token, {host: _upstream(host, settings) for host, settings in hosts.items()})


def _upstream(host: str, settings: EgressHost) -> UpstreamSettings:
    name = f"egress-{host.replace('.', '-')}"[:39].rstrip("-")
    return UpstreamSettings(name=name, dialect=settings.dialect, base_url=settings.base_url)


async def answer_ours(keys: KeyDirectory, metrics: WorkerMetrics, path: str, headers: Headers) -> web.Response | None:
    """Answer what our proxy asks and tells for itself; None for an exchange that it hands over. Raises EdgeError."""
    if path == IDENTITY:
        return await _introduce(keys, headers)
    return _count(metrics, headers) if path == COUNTS else None


async def _introduce(keys: KeyDirectory, headers: Headers) -> web.Response:
    """Tell whether a key is somebody's: 204, 401, or 503 where nobody can tell."""
    try:
        await keys.identify(headers.get(OUR_HEADER, ""))
    except IdentityError as exc:
        return json_response(503 if exc.unavailable else 401, {})
    return web.Response(status=204)


def _count(metrics: WorkerMetrics, headers: Headers) -> web.Response:
    """Take in what our proxy saw pass since it last said so: `read=3,untouched=1`. Raises EdgeError 400."""
    said = [_COUNTED.fullmatch(item) for item in headers.get("x-promptshield-egress-counts", "").split(",")]
    known = [item for item in said if item is not None]
    if len(known) < len(said):
        raise EdgeError(400, "invalid_counts", "These are no counts of our own proxy.")
    for item in known:
        metrics.count("promptshield_egress_connections_total", (item[1],), int(item[2]))
    return web.Response(status=204)
