"""The cookies of signing in: out of reach of scripts and of other hosts, and tokens against forged requests."""

from __future__ import annotations

import hashlib
import hmac
from enum import StrEnum
from typing import Final

from aiohttp import web

from proxy.control.access.places import is_secure
from proxy.control.settings import ControlSettings

_HOST: Final = "__Host-"  # a browser takes this name from nobody but this host, over TLS (RFC 6265bis, 4.1.3.2)
_LONGEST: Final = 200


class Cookie(StrEnum):
    """What it holds: a session; a sign-in that waits for its code; one that waits for a provider."""

    SESSION = "promptshield"
    CODE = "promptshield-code"
    OIDC = "promptshield-oidc"


def read_cookie(settings: ControlSettings, request: web.Request, cookie: Cookie) -> str:
    """Return the value, or an empty string. Over TLS no other name than the guarded one counts."""
    value = request.cookies.get(_name(settings, request, cookie), "")
    return value if len(value) <= _LONGEST else ""


def set_cookie(
    settings: ControlSettings, request: web.Request, response: web.Response, cookie: Cookie, value: str
) -> None:
    """Until the browser is closed. Lax: the way back from a provider starts at another site."""
    secure = is_secure(settings, request)
    response.set_cookie(_name(settings, request, cookie), value, path="/", httponly=True, secure=secure, samesite="Lax")


def forget_cookie(settings: ControlSettings, request: web.Request, response: web.Response, cookie: Cookie) -> None:
    secure = is_secure(settings, request)
    response.del_cookie(_name(settings, request, cookie), path="/", httponly=True, secure=secure, samesite="Lax")


def csrf_token(key: bytes, session_token: str) -> str:
    """Return what forms of a session carry: whoever can make it holds the session already."""
    return hmac.digest(key, session_token.encode("utf-8", "surrogateescape"), hashlib.sha256).hex()


def _name(settings: ControlSettings, request: web.Request, cookie: Cookie) -> str:
    return f"{_HOST}{cookie}" if is_secure(settings, request) else str(cookie)
