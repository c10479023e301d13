"""The base URLs of a configuration: one reading for every service that we call."""

from __future__ import annotations

from typing import Annotated
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


BaseUrl = Annotated[str, AfterValidator(_base_url)]
OptionalBaseUrl = Annotated[str, AfterValidator(_if_any)]
