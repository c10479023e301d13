"""What holds for every answer of the control plane: headers for browsers, and scripts of other sites kept out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Middleware

from proxy.control.access.places import is_secure, origin_of
from proxy.control.settings import ControlSettings

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_API: Final = "/api/"
# Pages say more exactly what they need; what says nothing needs nothing.
_HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        "Cache-Control": "no-store",
        "Server": "PromptShield",  # not which versions of what
    }
)
_YEAR: Final = 31_536_000  # seconds


def browser_rules(settings: ControlSettings) -> Middleware:
    """Return the middleware that sees to it."""
    origins = frozenset(origin_of(url) for url in settings.cors)

    @web.middleware
    async def rule(request: web.Request, handler: Handler) -> web.StreamResponse:
        allowed = request.path.startswith(_API) and request.headers.get("Origin", "").lower() in origins
        if allowed and request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            response: web.StreamResponse = _preflight()
        else:
            response = await handler(request)
        if response.prepared:
            return response
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        if is_secure(settings, request):
            response.headers.setdefault("Strict-Transport-Security", f"max-age={_YEAR}")
        if origins and request.path.startswith(_API):
            response.headers.add("Vary", "Origin")
        if allowed:
            # Never with credentials: a script of another site brings a token of its own, not somebody's cookie.
            response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
            response.headers["Access-Control-Expose-Headers"] = "Retry-After, Location"
        return response

    return rule


def _preflight() -> web.Response:
    return web.Response(
        status=204,
        headers={
            "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE",
            "Access-Control-Allow-Headers": "Authorization, Content-Type",
            "Access-Control-Max-Age": "600",
        },
    )
