"""The addresses of a configuration: one reading for every service that we call."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator


def _base_url(url: str) -> str:
    """Return the URL without a slash at its end. Raises ValueError, which does not repeat it: it may hold a secret."""
    parts = urlsplit(url)
    more = parts.username or parts.password or parts.query or parts.fragment
    if parts.scheme not in {"http", "https"} or not parts.hostname or more or parts.port == 0:
        raise ValueError("expected http(s)://host[:port]/path without user, password, query or fragment")
    return url.rstrip("/")


def _if_any(url: str) -> str:
    return url and _base_url(url)


def _of_postgres(url: str) -> str:
    if url and not url.startswith(("postgresql://", "postgres://")):
        raise ValueError("must begin with postgresql://")
    return url


def _of_redis(url: str) -> str:
    if url and not url.startswith(_REDIS):
        raise ValueError(f"must begin with one of {', '.join(_REDIS)}")
    return url


_REDIS: Final = ("redis://", "rediss://", "redis+cluster://", "rediss+cluster://", "unix://")
BaseUrl = Annotated[str, AfterValidator(_base_url)]
OptionalBaseUrl = Annotated[str, AfterValidator(_if_any)]
PostgresUrl = Annotated[str, AfterValidator(_of_postgres)]
RedisUrl = Annotated[str, AfterValidator(_of_redis)]
