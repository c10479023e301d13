"""Health answers of both planes, by the paths that probes and balancers ask."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from proxy.identity import KeyDirectory
from proxy.responses import json_response

LIVENESS: Final = frozenset({"/health/liveness", "/health/liveliness", "/healthz"})
READINESS: Final = frozenset({"/health/readiness", "/readyz"})
HEALTH: Final = "/health"


def data_plane_health(
    request: web.BaseRequest, keys: KeyDirectory, *, draining: bool, engine: bool = True
) -> web.Response | None:
    """Return the answer to a health request, None for any other. Liveness asks nobody; readiness fails first.

    Without its `engine` a worker detects by itself: that is said, and is no reason to send it no requests.
    """
    path = request.raw_path
    if request.method != "GET" or not (path == HEALTH or path in LIVENESS or path in READINESS):
        return None
    if path in LIVENESS:
        return json_response(200, {"status": "alive"})
    database = keys.confirmed
    ready = keys.fresh and not draining
    return health_response(ready=ready, database=database, draining=draining, detail=path == HEALTH, engine=engine)


def health_response(*, ready: bool, database: bool, draining: bool, detail: bool, engine: bool = True) -> web.Response:
    """Return 200 or 503. `/health` itself stays 200 while requests are served, whatever it reports."""
    status = "healthy" if ready else ("draining" if draining else "unhealthy")
    body = {
        "status": status,
        "detection_engine": "connected" if engine else "disconnected",
        "database": "connected" if database else "disconnected",
        "db": "connected" if database else "disconnected",
    }
    return json_response(200 if ready or (detail and not draining) else 503, body)
